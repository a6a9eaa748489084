#include "layers.h"

#include "cms/algorithms.h"

#include <openssl/err.h>
#include <stdlib.h>

const struct nesting nestings[10] = {
    { "P", false, false, AS2_COMPRESS_NO },
    { "S(P)", false, true, AS2_COMPRESS_NO },
    { "E(P)", true, false, AS2_COMPRESS_NO },
    { "E(S(P))", true, true, AS2_COMPRESS_NO },
    { "C(P)", false, false, AS2_COMPRESS_BEFORE },
    { "S(C(P))", false, true, AS2_COMPRESS_BEFORE },
    { "C(S(P))", false, true, AS2_COMPRESS_AFTER },
    { "E(C(P))", true, false, AS2_COMPRESS_AFTER },
    { "E(S(C(P)))", true, true, AS2_COMPRESS_BEFORE },
    { "E(C(S(P)))", true, true, AS2_COMPRESS_AFTER },
};

struct cms_signer us, partner, stranger;

static struct cms_sign_options how_signed;
static struct cms_encrypt_options how_encrypted;

int make_parties(void **state)
{
    (void)state;
    us = make_signer("us", "RSA");
    partner = make_signer("partner", "RSA");
    stranger = make_signer("stranger", "RSA");
    how_signed = sign_options(&partner, cms_digest(NID_sha256));
    how_encrypted = (struct cms_encrypt_options) { .recipients = &us.cert,
                                                   .recipients_n = 1,
                                                   .cipher = cms_cipher(NID_aes_256_cbc),
                                                   .digest = cms_digest(NID_sha256) };
    return 0;
}

int free_parties(void **state)
{
    (void)state;
    free_signer(&us);
    free_signer(&partner);
    free_signer(&stranger);
    return 0;
}

void message_free(struct message *m)
{
    arena_free(&m->arena);
    bytes_free(&m->body);
}

struct message message_of(const char *head, struct span body)
{
    struct message m = { 0 };
    struct err err = { 0 };

    if (!mime_head_read(span_text(head), &m.arena, &m.head, &err))
        fail_msg("%s", err.text);
    bytes_put(&m.body, body.p, body.n);
    return m;
}

struct as2_seal_options seal_options(const struct nesting *n)
{
    return (struct as2_seal_options) { .content_type = "application/EDIFACT",
                                       .file_name = "orders.edi",
                                       .sign = n->is_signed ? &how_signed : NULL,
                                       .compress = n->compress,
                                       .encrypt = n->encrypted ? &how_encrypted : NULL,
                                       .boundary = "OUTER-0001",
                                       .mics = { NID_sha256, NID_sha1 },
                                       .mics_n = 2 };
}

struct message seal_message(const struct as2_seal_options *o, struct span content, size_t chunk,
                            size_t room)
{
    struct message m = { 0 };
    struct err err = { 0 };
    struct stage *st = as2_seal_new(o, &err);
    const struct mime_head *head;
    struct span left = content, given = span_of(content.p, 0);
    uint8_t *buffer = malloc(room);
    enum flow f = FLOW_IN;

    if (st == NULL)
        fail_msg("%s", err.text);
    assert_non_null(buffer);
    head = as2_seal_head(st);
    m.head.fields = arena_take(&m.arena, head->n * sizeof(head->fields[0]));
    m.head.n = head->n;
    for (size_t i = 0; i < head->n; i++)
        m.head.fields[i] = (struct mime_field) { arena_text(&m.arena, head->fields[i].name),
                                                 arena_text(&m.arena, head->fields[i].value) };
    while (f != FLOW_END) {
        struct room r = { buffer, room };

        if (f == FLOW_IN && given.n == 0) {
            given = span_of(left.p, left.n < chunk ? left.n : chunk);
            span_skip(&left, given.n);
        }
        f = stage_step(st, &given, left.n == 0, &r, &err);
        if (f == FLOW_FAIL)
            fail_msg("%s", err.text);
        bytes_put(&m.body, buffer, room - r.n);
    }
    assert_int_equal(given.n + left.n, 0);
    m.mics_n = as2_seal_mics(st, m.mics);
    stage_free(st);
    free(buffer);
    return m;
}

void seen_free(struct seen *s)
{
    for (size_t i = 0; i < s->n; i++)
        bytes_free(&s->payload[i].octets);
    *s = (struct seen) { 0 };
}

static bool on_payload(void *context, const struct as2_payload *p, struct err *err)
{
    struct seen *s = context;

    if (s->refuse != NULL && !s->refuse(p, err))
        return false;
    assert_true(s->n < SEEN_MAX);
    s->payload[s->n].index = p->index;
    s->payload[s->n].has_type = p->type != NULL;
    s->payload[s->n].has_name = p->file_name != NULL;
    s->payload[s->n].has_id = p->content_id != NULL;
    (void)text_copy(s->payload[s->n].type, 200, p->type != NULL ? p->type : "");
    (void)text_copy(s->payload[s->n].file_name, 100, p->file_name != NULL ? p->file_name : "");
    (void)text_copy(s->payload[s->n].content_id, 100,
                    p->content_id != NULL ? p->content_id : "");
    s->n++;
    return true;
}

static bool on_octets(void *context, struct span octets, struct err *err)
{
    struct seen *s = context;

    (void)err;
    assert_true(s->n > 0 && octets.n > 0);
    bytes_put(&s->payload[s->n - 1].octets, octets.p, octets.n);
    return true;
}

struct as2_open_options open_options(const struct message *m)
{
    return (struct as2_open_options) { .http = &m->head,
                                       .keys = &us,
                                       .keys_n = 1,
                                       .signers = &partner.cert,
                                       .signers_n = 1,
                                       .mic_fallback = NID_sha256 };
}

void open_message(const struct as2_open_options *o, const struct message *m, size_t chunk,
                  struct seen *seen)
{
    struct as2_open_options with = *o;
    struct span left = bytes_span(&m->body);
    struct as2_open *op;

    with.payload = on_payload;
    with.octets = on_octets;
    with.context = seen;
    op = as2_open_new(&with, &seen->err);
    assert_non_null(op);
    seen->ok = true;
    while (seen->ok && left.n > 0) {
        size_t n = left.n < chunk ? left.n : chunk;
        uint8_t *copy = malloc(n); /* so that reading beyond it is seen */

        assert_non_null(copy);
        memcpy(copy, left.p, n);
        seen->ok = as2_open_write(op, span_of(copy, n), &seen->err);
        free(copy);
        span_skip(&left, n);
    }
    seen->ok = seen->ok && as2_open_end(op, &seen->err);
    CHECK_EQ(ERR_peek_error(), 0);
    seen->opened = *as2_open_result(op);
    (void)text_copy(seen->mic_spelling, sizeof(seen->mic_spelling),
                    seen->opened.mic_spelling != NULL ? seen->opened.mic_spelling : "");
    seen->opened.mic_spelling = NULL; /* it ends with the opener */
    as2_open_free(op);
}

void expect_opened(const struct as2_open_options *o, const struct message *m, size_t chunk,
                   struct span content)
{
    struct seen seen = { 0 };

    open_message(o, m, chunk, &seen);
    if (!seen.ok)
        fail_msg("%s (chunks of %zu)", seen.err.text, chunk);
    CHECK_EQ(seen.opened.fault, AS2_FINE);
    CHECK_EQ(seen.n, 1);
    CHECK_EQ(seen.opened.payloads, 1);
    CHECK_EQ(seen.opened.octets, content.n);
    assert_true(span_equal(bytes_span(&seen.payload[0].octets), content));
    seen_free(&seen);
}

void expect_fault(const struct as2_open_options *o, const struct message *m,
                  enum as2_fault fault)
{
    static const size_t chunks[] = { 1, 100, 1 << 20 };

    for (size_t i = 0; i < COUNT_OF(chunks); i++) {
        struct seen seen = { 0 };

        open_message(o, m, chunks[i], &seen);
        if (seen.ok)
            fail_msg("opened");
        if (seen.err.kind != FAIL_TRUST || seen.err.wire != (int)fault)
            fail_msg("kind %d, fault %d instead of %d: %s", seen.err.kind, seen.err.wire, fault,
                     seen.err.text);
        CHECK_EQ(seen.opened.fault, fault);
        assert_int_not_equal(seen.err.text[0], '\0');
        seen_free(&seen);
    }
}

void expect_mic(const struct as2_mic *mic, int nid, const char *base64)
{
    char text[100] = "";

    CHECK_EQ(mic->nid, nid);
    (void)EVP_EncodeBlock((unsigned char *)text, mic->value, (int)mic->n);
    assert_string_equal(text, base64);
}
