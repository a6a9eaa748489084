/* Small objects in memory: receipts, challenges. Sealed in DER, which every partner reads. */
#include "cms/cms_int.h"

enum { OPEN_CHUNK = 4096, CIPHER_SLACK = 64 };

/* Puts the content through s and frees s. */
static bool seal_octets(struct seal *s, struct span content, uint8_t **out, size_t *out_n,
                        struct err *err)
{
    size_t cap = content.n + CIPHER_SLACK, n;
    uint8_t *made = malloc(cap), *object = NULL;
    struct room room = { made, cap };
    struct der d = { 0 };
    struct span span = content;
    struct span whole;
    bool ok = made != NULL || NO_MEMORY(err), done = false;

    while (ok && !done)
        ok = s->ops->work(s, &span, true, &room, &done, err);
    ok = ok && s->ops->tail(s, err);
    if (ok) {
        whole = span_of(made, cap - room.n);
        s->form.content = s->silent ? NULL : &whole;
        form_der(&d, &s->form);
        object = der_done(&d, &n);
        ok = object != NULL || NO_MEMORY(err);
    }
    s->form.content = NULL;
    free(made);
    stage_free(&s->base);
    cms_ssl_clear();
    if (!ok)
        return false;
    *out = object;
    *out_n = n;
    return true;
}

bool cms_sign_octets(const struct cms_sign_options *o, struct span content, uint8_t **out,
                     size_t *out_n, struct err *err)
{
    struct seal *s = seal_sign(o, err);

    return s != NULL && seal_octets(s, content, out, out_n, err);
}

bool cms_encrypt_octets(const struct cms_encrypt_options *o, struct span content, uint8_t **out,
                        size_t *out_n, struct err *err)
{
    struct seal *s = seal_encrypt(o, err);

    return s != NULL && seal_octets(s, content, out, out_n, err);
}

static bool run(struct stage *st, struct span object, size_t max, struct grow *all,
                struct err *err)
{
    uint8_t chunk[OPEN_CHUNK];
    enum flow f;

    do {
        struct room room = { chunk, sizeof(chunk) };
        size_t n;

        f = stage_step(st, &object, true, &room, err);
        if (f == FLOW_FAIL)
            return false;
        n = sizeof(chunk) - room.n;
        if (n > max - all->n)
            return REFUSE(err, CMS_FORMAT, "cms: more than %zu octets of content", max);
        if (!grow_put(all, span_of(chunk, n)))
            return NO_MEMORY(err);
    } while (f != FLOW_END);
    return object.n == 0 || REFUSE(err, CMS_FORMAT, "cms: octets follow the end");
}

bool cms_open_octets(const struct cms_open_options *o, struct span object, size_t max,
                     uint8_t **out, size_t *out_n, struct cms_layer *layers, size_t *layers_n,
                     struct err *err)
{
    struct stage *st = cms_open_new(o, err);
    struct grow all = { 0 };
    const struct cms_layer *found;
    size_t n;
    bool ok;

    if (st == NULL)
        return false;
    /* not NULL even when there is no content */
    ok = (grow_put(&all, span_of("", 1)) || NO_MEMORY(err));
    all.n = 0;
    ok = ok && run(st, object, max, &all, err);
    n = cms_open_layers(st, &found);
    if (ok && layers != NULL) {
        memcpy(layers, found, n * sizeof(*found));
        *layers_n = n;
    }
    stage_free(st);
    if (!ok) {
        grow_free(&all);
        return false;
    }
    *out = all.p;
    *out_n = all.n;
    return true;
}
