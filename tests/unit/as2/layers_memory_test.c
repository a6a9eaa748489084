/* The n-th allocation of ours fails, for all n: sealing and opening messages say so, lose nothing and
 * never crash. */
#include "craft.h"

#include <stdlib.h>

#include <openssl/err.h>

static long countdown = -1; /* allocations until the one that fails; negative: none */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static bool seal_once(const struct as2_seal_options *o, uint8_t *out, size_t cap, size_t *n,
                      struct err *err)
{
    struct stage *st = as2_seal_new(o, err);
    struct span in = span_text("UNB+UNOA:1+A+B'");
    struct room room = { out, cap };
    enum flow f;

    if (st == NULL)
        return false;
    f = stage_step(st, &in, true, &room, err);
    stage_free(st);
    *n = cap - room.n;
    return f == FLOW_END;
}

static size_t octets_seen;

static bool count_payload(void *context, const struct as2_payload *p, struct err *err)
{
    (void)context;
    (void)p;
    (void)err;
    return true;
}

static bool count_octets(void *context, struct span octets, struct err *err)
{
    (void)context;
    (void)err;
    octets_seen += octets.n;
    return true;
}

static bool open_once(const struct mime_head *head, struct span body, struct err *err)
{
    struct message none = { .head = *head };
    struct as2_open_options o = open_options(&none);
    struct as2_open *op;
    bool ok;

    o.unpack = true;
    o.payload = count_payload;
    o.octets = count_octets;
    octets_seen = 0;
    op = as2_open_new(&o, err);
    ok = op != NULL && as2_open_write(op, body, err) && as2_open_end(op, err);
    as2_open_free(op);
    return ok;
}

static void sealing(void **state)
{
    static uint8_t out[50000];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(nestings); i++) {
        struct as2_seal_options o = seal_options(&nestings[i]);
        bool ok = false;

        o.base64 = o.base64_layers = true;
        for (long k = 0; !ok; k++) {
            struct err err = { 0 };
            size_t n;

            assert_true(k < 1000);
            countdown = k;
            ok = seal_once(&o, out, sizeof(out), &n, &err);
            countdown = -1;
            if (err.kind != (ok ? FAIL_NONE : FAIL_LOCAL))
                fail_msg("%s, %ld: %s", nestings[i].name, k, err.text);
            CHECK_EQ(ERR_peek_error(), 0);
        }
    }
}

/* Each failure is ours, never the partner's. */
static void open_without(struct bytes entity, size_t octets)
{
    struct message m = message_from(entity);
    bool ok = false;

    for (long k = 0; !ok; k++) {
        struct err err = { 0 };

        assert_true(k < 1000);
        countdown = k;
        ok = open_once(&m.head, bytes_span(&m.body), &err);
        countdown = -1;
        if (err.kind != (ok ? FAIL_NONE : FAIL_LOCAL))
            fail_msg("%ld: %s", k, err.text);
        CHECK_EQ(ERR_peek_error(), 0);
    }
    CHECK_EQ(octets_seen, octets);
    message_free(&m);
}

static void opening(void **state)
{
    static const char parts[] =
        "Content-Type: multipart/related; boundary=r; start=\"<b>\"\r\n\r\n--r\r\n"
        "Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=x\r\n\r\n"
        "eA==\r\n--r\r\nContent-ID: <b>\r\nContent-Transfer-Encoding: quoted-printable\r\n\r\n"
        "=79\r\n--r--\r\n";

    (void)state;
    open_without(entity_encrypted(entity_signed(entity_compressed(entity_text(parts)))), 2);
    open_without(entity_encrypted(entity_compressed(entity_signed(entity_text(parts)))), 2);
    open_without(entity_encrypted(entity_text(parts)), 2);
    open_without(entity_text(parts), 2);
}

/* A message whose head says base64: whether its body is, is found out. */
static void opening_what_says_base64(void **state)
{
    static const char type[] =
        "Content-Type: application/pkcs7-mime; smime-type=compressed-data; name=smime.p7z\r\n"
        "Content-Transfer-Encoding: base64\r\n";
    struct err err = { 0 };
    struct bytes object =
        seal_with(cms_compress_new(&err), span_text("Content-Type: a/b\r\n\r\nxy"));
    struct bytes coded = seal_with(mime_base64_encode_new(), bytes_span(&object));

    (void)state;
    open_without(entity_of(type, bytes_span(&object)), 2);
    open_without(entity_of(type, bytes_span(&coded)), 2);
    bytes_free(&object);
    bytes_free(&coded);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(sealing),
        cmocka_unit_test(opening),
        cmocka_unit_test(opening_what_says_base64),
    };

    return cmocka_run_group_tests(tests, make_parties, free_parties);
}
