/* Several digests of the same octets in one pass. */
#include "as2/digests.h"

#include "cms/algorithms.h"

#include <openssl/err.h>

/* MD5 is none that cms/ would sign with; old partners ask for MICs of it. */
static const EVP_MD *digest_of(int nid)
{
    const EVP_MD *md = cms_digest(nid);

    return md != NULL || nid != NID_md5 ? md : EVP_md5();
}

bool digests_add(struct digests *d, int nid, struct err *err)
{
    const EVP_MD *md = digest_of(nid);
    EVP_MD_CTX *ctx;

    for (size_t i = 0; i < d->n; i++)
        if (d->made[i].nid == nid)
            return true;
    if (md == NULL || d->n == DIGESTS_MAX)
        return FAIL(err, FAIL_LOCAL, 0, "digest: %s",
                    md == NULL ? "unknown algorithm" : "too many at a time");
    ctx = EVP_MD_CTX_new();
    if (ctx == NULL || EVP_DigestInit_ex(ctx, md, NULL) != 1) {
        EVP_MD_CTX_free(ctx);
        ERR_clear_error();
        return FAIL(err, FAIL_LOCAL, 0, "digest: it cannot be computed");
    }
    d->made[d->n] = (struct cms_digest) { .nid = nid };
    d->ctx[d->n++] = ctx;
    return true;
}

bool digests_update(struct digests *d, struct span octets, struct err *err)
{
    for (size_t i = 0; octets.n > 0 && i < d->n; i++)
        if (EVP_DigestUpdate(d->ctx[i], octets.p, octets.n) != 1)
            return FAIL(err, FAIL_LOCAL, 0, "digest: it cannot be computed");
    return true;
}

bool digests_end(struct digests *d, struct err *err)
{
    for (size_t i = 0; !d->ended && i < d->n; i++) {
        unsigned n = 0;

        if (EVP_DigestFinal_ex(d->ctx[i], d->made[i].value, &n) != 1)
            return FAIL(err, FAIL_LOCAL, 0, "digest: it cannot be computed");
        d->made[i].n = n;
    }
    d->ended = true;
    return true;
}

const struct cms_digest *digests_find(const struct digests *d, int nid)
{
    for (size_t i = 0; d->ended && i < d->n; i++)
        if (d->made[i].nid == nid)
            return &d->made[i];
    return NULL;
}

struct as2_mic digests_mic(const struct digests *d, int nid)
{
    const struct cms_digest *made = digests_find(d, nid);
    struct as2_mic mic = { .nid = nid };

    if (made != NULL) {
        mic.n = made->n;
        memcpy(mic.value, made->value, made->n);
    }
    return mic;
}

void digests_free(struct digests *d)
{
    for (size_t i = 0; i < d->n; i++)
        EVP_MD_CTX_free(d->ctx[i]);
    d->n = 0;
}
