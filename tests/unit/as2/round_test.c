/* What we seal, we open: every nesting, encoding, payload and chunking. */
#include "layers.h"

#include <stdlib.h>

struct sample {
    const char *name;
    struct bytes octets;
};

static struct sample samples[10];
static size_t samples_n;

static void add_sample(const char *name, const void *p, size_t n)
{
    samples[samples_n].name = name;
    bytes_put(&samples[samples_n++].octets, p, n);
}

static int make_all(void **state)
{
    static const char like[] = "--OUTER-000\r\n--OUTER-00012\r\n --OUTER-0001\r\n"
                               "--OUTER-0001x\r\n\r\n--";
    uint8_t all[256];
    struct bytes text = make_text(300 * 1024);

    for (unsigned i = 0; i < sizeof(all); i++)
        all[i] = (uint8_t)i;
    add_sample("empty", "", 0);
    add_sample("one octet", "x", 1);
    add_sample("0 to 255", all, sizeof(all));
    add_sample("NUL", "\0", 1);
    add_sample("0x1A", "\x1a", 1);
    add_sample("CR alone", "a\rb\r", 4);
    add_sample("LF alone", "a\nb\n\n", 5);
    add_sample("line ends", "\r\n\r\n", 4);
    add_sample("like the boundary", like, sizeof(like) - 1);
    bytes_put(&samples[samples_n].octets, text.p, text.n);
    samples[samples_n++].name = "300 KB";
    bytes_free(&text);
    return make_parties(state);
}

static int free_all(void **state)
{
    for (size_t i = 0; i < samples_n; i++)
        bytes_free(&samples[i].octets);
    return free_parties(state);
}

static void check_found(const struct nesting *n, const struct seen *seen)
{
    CHECK_EQ(seen->opened.encrypted, n->encrypted);
    CHECK_EQ(seen->opened.is_signed, n->is_signed);
    CHECK_EQ(seen->opened.trusted, n->is_signed);
    CHECK_EQ(seen->opened.compressed, n->compress != AS2_COMPRESS_NO);
    assert_ptr_equal(seen->opened.signer, n->is_signed ? partner.cert : NULL);
    assert_string_equal(seen->opened.cipher, n->encrypted ? "aes-256-cbc" : "");
    assert_string_equal(seen->opened.digest, n->is_signed ? "sha256" : "");
    CHECK_EQ(seen->opened.signature_digest, n->is_signed ? NID_sha256 : NID_undef);
    assert_string_equal(seen->opened.signer_digest_spelling, n->is_signed ? "sha-256" : "");
    assert_false(seen->opened.aead);
}

static void open_and_compare(const struct nesting *n, const struct message *m,
                             const struct sample *sample, size_t chunk)
{
    struct as2_open_options o = open_options(m);
    struct seen seen = { 0 };

    open_message(&o, m, chunk, &seen);
    if (!seen.ok)
        fail_msg("%s of %s by %zu: %s", n->name, sample->name, chunk, seen.err.text);
    check_found(n, &seen);
    CHECK_EQ(seen.n, 1);
    assert_true(span_equal(bytes_span(&seen.payload[0].octets), bytes_span(&sample->octets)));
    assert_string_equal(seen.payload[0].type, "application/EDIFACT");
    assert_string_equal(seen.payload[0].file_name, "orders.edi");
    assert_true(as2_mic_equal(&seen.opened.mic, &m->mics[0]));
    seen_free(&seen);
}

static void round_all(bool opaque)
{
    static const size_t chunks[] = { 1, 7, 4093, 1 << 20 };

    for (size_t i = 0; i < COUNT_OF(nestings); i++)
        for (size_t k = 0; (nestings[i].is_signed || !opaque) && k < samples_n; k++)
            for (unsigned base64 = 0; base64 < 4; base64++) {
                struct as2_seal_options o = seal_options(&nestings[i]);
                size_t size = samples[k].octets.n;
                struct message m;

                o.base64 = base64 & 1;
                o.base64_layers = base64 & 2;
                o.binary_signature = base64 == 2;
                o.opaque = opaque;
                m = seal_message(&o, bytes_span(&samples[k].octets), size > 1000 ? 5000 : 3,
                                 size > 1000 ? 65536 : 5);
                CHECK_EQ(m.mics_n, 2);
                for (size_t c = size > 1000 && base64 != 1 ? 2 : 0; c < COUNT_OF(chunks); c++)
                    open_and_compare(&nestings[i], &m, &samples[k], chunks[c]);
                message_free(&m);
            }
}

/* AS2-C31, AS2-C38, AS2-C41, AS2-C42, AS2-C43: and both sides compute the same MIC. */
static void every_nesting_brings_every_payload_back(void **state)
{
    (void)state;
    round_all(false);
}

/* AS2-C31: the same with the content inside the signature. */
static void every_nesting_with_an_opaque_signature_brings_every_payload_back(void **state)
{
    (void)state;
    round_all(true);
}

/* How a message is cut into pieces, in and out, shows nowhere. */
static void chunks_of_sealing_show_nowhere(void **state)
{
    struct nesting n = nestings[1];

    (void)state;
    for (unsigned base64 = 0; base64 < 2; base64++) {
        struct as2_seal_options o = seal_options(&n);
        struct message whole;

        o.base64 = base64;
        whole = seal_message(&o, bytes_span(&samples[2].octets), 1 << 20, 1 << 20);
        for (size_t chunk = 1; chunk < 20; chunk += 3)
            for (size_t room = 1; room < 20; room += 3) {
                struct message m =
                    seal_message(&o, bytes_span(&samples[2].octets), chunk, room);

                assert_true(span_equal(bytes_span(&m.body), bytes_span(&whole.body)));
                message_free(&m);
            }
        message_free(&whole);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_nesting_brings_every_payload_back),
        cmocka_unit_test(every_nesting_with_an_opaque_signature_brings_every_payload_back),
        cmocka_unit_test(chunks_of_sealing_show_nowhere),
    };

    return cmocka_run_group_tests(tests, make_all, free_all);
}
