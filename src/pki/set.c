/* Which of several certificates of one purpose: roll-over without a gap. */
#include "pki/pki.h"

#include <stdlib.h>

bool pki_valid_at(const X509 *cert, int64_t now_s)
{
    int64_t from, to;

    return pki_validity(cert, &from, &to) && from <= now_s && now_s <= to;
}

const struct pki_certificate *pki_set_sign(const struct pki_set *set, int64_t now_s)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->list[i]->key != NULL && pki_valid_at(set->list[i]->leaf, now_s))
            return set->list[i];
    return NULL;
}

const struct pki_certificate *pki_set_encrypt(const struct pki_set *set, int64_t now_s)
{
    const struct pki_certificate *newest = NULL;
    int64_t from, to, newest_from = 0;

    for (size_t i = 0; i < set->n; i++) {
        const struct pki_certificate *c = set->list[i];

        if (!pki_valid_at(c->leaf, now_s) || !pki_validity(c->leaf, &from, &to))
            continue;
        if (newest == NULL || from > newest_from) {
            newest = c;
            newest_from = from;
        }
    }
    return newest;
}

size_t pki_set_accept(const struct pki_set *set, int64_t now_s, X509 **list, size_t cap)
{
    size_t n = 0;

    for (size_t i = 0; i < set->n && n < cap; i++)
        if (pki_valid_at(set->list[i]->leaf, now_s))
            list[n++] = set->list[i]->leaf;
    return n;
}

void pki_set_free(struct pki_set *set)
{
    for (size_t i = 0; i < set->n; i++)
        pki_certificate_free(set->list[i]);
    free(set->list);
    *set = (struct pki_set) { 0 };
}
