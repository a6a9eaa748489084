/* Octets of a payload through a pipe, a buffer at a time. */
#include "gateway/pump.h"

#include <stdlib.h>

enum { PUMP = 256 * 1024 };

bool pump_to_writer(void *context, struct span octets, struct err *err)
{
    return payload_write(context, octets, err);
}

static bool step(struct pump *p, struct span *in, bool last, bool *ended, struct err *err)
{
    for (;;) {
        struct room room = { p->out, PUMP };
        enum flow f;
        size_t n;

        if (p->pipe == NULL) {
            (void)room_take(&room, in);
            f = last && in->n == 0 ? FLOW_END : in->n == 0 ? FLOW_IN : FLOW_OUT;
        } else {
            f = stage_step(p->pipe, in, last, &room, err);
        }
        n = PUMP - room.n;
        if (f == FLOW_FAIL)
            return false;
        if (n > 0 && p->hash_out != NULL && !EVP_DigestUpdate(p->hash_out, p->out, n))
            return FAIL(err, FAIL_LOCAL, 0, "the digest failed");
        if (n > 0 && !p->put(p->context, span_of(p->out, n), err))
            return false;
        *ended = f == FLOW_END;
        if (f != FLOW_OUT)
            return true;
    }
}

bool pump_run(struct pump *p, struct err *err)
{
    uint64_t at = 0;
    bool ended = false, ok;
    size_t got = 0;

    p->in = malloc(PUMP);
    p->out = malloc(PUMP);
    ok = (p->in != NULL && p->out != NULL) || FAIL(err, FAIL_LOCAL, 0, "out of memory");
    while (ok && !ended) {
        struct span in;

        ok = payload_read(p->from, at, (struct room) { p->in, PUMP }, &got, err);
        if (ok && got > 0 && p->hash_in != NULL && !EVP_DigestUpdate(p->hash_in, p->in, got))
            ok = FAIL(err, FAIL_LOCAL, 0, "the digest failed");
        in = span_of(p->in, got);
        ok = ok && step(p, &in, got == 0, &ended, err);
        at += got;
    }
    free(p->in);
    free(p->out);
    return ok;
}

EVP_MD_CTX *pump_digest(const EVP_MD *md)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    if (c != NULL && !EVP_DigestInit_ex(c, md, NULL)) {
        EVP_MD_CTX_free(c);
        c = NULL;
    }
    return c;
}
