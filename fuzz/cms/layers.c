/* The whole opening pipe as the gateway uses it: the layers that SFIDSEC and SFIDCOMP announce, no
 * more and no less. Any octets take the place of one of the layers, or of an octet in what was sealed,
 * within encryption too, where no fuzzer gets by itself. How input and room are cut must not matter,
 * and nothing but what was signed may come out of a signed file. */
#include "key.h"

#include "base/pipe.h"

#include <openssl/err.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    CONTENT_MAX = 1 << 16,
    SEALED_MAX = 1 << 19,
    SIGN = 1,
    COMPRESS = 2,
    ENCRYPT = 4,
    GCM = 8
};

static struct cms_signer key;

struct result {
    enum flow flow;
    size_t n;
    uint8_t content[CONTENT_MAX];
};

static size_t run(struct stage *st, struct span all, size_t chunk, size_t cap, uint8_t *out,
                  size_t out_n, enum flow *f)
{
    struct err err = { 0 };
    struct span left = all, in = span_of(all.p, 0);
    size_t n = 0;

    if (st == NULL)
        abort();
    do {
        struct room room = { out + n, out_n - n < cap ? out_n - n : cap };
        size_t had = room.n;

        if (in.n == 0) {
            in = span_of(left.p, left.n < chunk ? left.n : chunk);
            span_skip(&left, in.n);
        }
        *f = stage_step(st, &in, left.n == 0, &room, &err);
        n += had - room.n;
    } while ((*f == FLOW_IN || *f == FLOW_OUT) && n < out_n);
    if (*f == FLOW_FAIL && err.kind != FAIL_TRUST)
        abort();
    if (ERR_peek_error() != 0)
        abort();
    return n;
}

/* Seals by `set`; the octets sealed. */
static size_t seal(unsigned set, struct span content, uint8_t *out)
{
    struct cms_sign_options so = {
        .signers = &key, .signers_n = 1, .digest = EVP_sha256(), .signed_attributes = true
    };
    struct cms_encrypt_options eo = { .recipients = &key.cert,
                                      .recipients_n = 1,
                                      .cipher =
                                          set & GCM ? EVP_aes_256_gcm() : EVP_aes_256_cbc(),
                                      .digest = EVP_sha256() };
    struct stage *stages[3], *pipe;
    struct err err = { 0 };
    enum flow f;
    size_t n = 0;

    if (set & SIGN)
        stages[n++] = cms_sign_new(&so, &err);
    if (set & COMPRESS)
        stages[n++] = cms_compress_new(&err);
    if (set & ENCRYPT)
        stages[n++] = cms_encrypt_new(&eo, &err);
    if (n == 0) {
        memcpy(out, content.p, content.n);
        return content.n;
    }
    pipe = pipe_new(stages, n, 0);
    n = run(pipe, content, 65536, SEALED_MAX, out, SEALED_MAX, &f);
    if (f != FLOW_END)
        abort();
    stage_free(pipe);
    return n;
}

static void open_all(unsigned want, struct span sealed, size_t chunk, size_t cap,
                     struct result *r)
{
    enum cms_kind kinds[3];
    struct cms_open_options o = {
        .keys = &key, .keys_n = 1, .signers = &key.cert, .signers_n = 1, .want = kinds
    };
    struct err err = { 0 };
    struct stage *st;

    if (want & ENCRYPT)
        kinds[o.want_n++] = CMS_ENVELOPED;
    if (want & COMPRESS)
        kinds[o.want_n++] = CMS_COMPRESSED;
    if (want & SIGN)
        kinds[o.want_n++] = CMS_SIGNED;
    st = cms_open_new(&o, &err);
    r->n = run(st, sealed, chunk, cap, r->content, CONTENT_MAX, &r->flow);
    stage_free(st);
}

/* data: the layers announced; those made around the octets; how to cut; which octet to change, with
 * what; the octets. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t sealed[SEALED_MAX];
    static struct result whole, cut;
    struct span octets;
    unsigned want, made;
    size_t n, at;

    if (size < 6 || size > 1 << 16)
        return 0;
    if (key.key == NULL)
        key = fuzz_signer();
    want = data[0] & 7;
    made = data[1] & 15;
    octets = span_of(data + 6, size - 6);
    if (want == 0)
        return 0;
    n = seal(made, octets, sealed);
    at = n == 0 ? 0 : (size_t)(data[3] << 8 | data[4]) % n;
    sealed[at] ^= data[5];
    open_all(want, span_of(sealed, n), SEALED_MAX, CONTENT_MAX, &whole);
    open_all(want, span_of(sealed, n), 1 + data[2] % 64, 1 + data[2], &cut);
    if (whole.n == CONTENT_MAX || cut.n == CONTENT_MAX)
        return 0;
    if (whole.flow != cut.flow)
        abort();
    if (whole.flow != FLOW_END)
        return 0;
    if (whole.n != cut.n || memcmp(whole.content, cut.content, whole.n) != 0)
        abort();
    /* Only what we signed here has our signature. */
    if (want & SIGN && made & SIGN && !span_equal(span_of(whole.content, whole.n), octets))
        abort();
    return 0;
}
