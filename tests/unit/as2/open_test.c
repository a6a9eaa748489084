/* Opening what others send: the known answers of as2.md 13, the grammar of 2.3, what is tolerated,
 * and what is what. */
#include "craft.h"

#include "../cms/known.h"
#include "cms/algorithms.h"

#include <stdlib.h>

#define T_ENTITY "Content-Type: text/plain\r\n\r\nhello\r\n"

/* ---- known answers ------------------------------------------------------------------------ */

static struct span hex(const char *text, uint8_t *out)
{
    size_t n = strlen(text) / 2;

    for (size_t i = 0; i < n; i++) {
        unsigned v;

        assert_int_equal(sscanf(text + 2 * i, "%2x", &v), 1);
        out[i] = (uint8_t)v;
    }
    return span_of(out, n);
}

static const char compressed_der[] =
    "3062060b2a864886f70d0109100109a0533051020100300d060b2a864886f70d0109100308303d06092a864886"
    "f70d010701a030042e7801012300dcff436f6e74656e742d547970653a20746578742f706c61696e0d0a0d0a68"
    "656c6c6f0d0ae04c0b66";
static const char compressed_ber[] =
    "3080060b2a864886f70d0109100109a0803080020100300d060b2a864886f70d0109100308308006092a864886"
    "f70d010701a080248004177801012300dcff436f6e74656e742d547970653a207465041778742f706c61696e0d"
    "0a0d0a68656c6c6f0d0ae04c0b66000000000000000000000000";

#define MIC_BODY "zS7KNTV0HyeorkDDGwxB1AV6enuRKzO5rthkhdHIRnY="
#define MIC_T    "WBhEq+//8XdXTTcUayVykfFriFR5oMtZtx6rHWJTiUk="
#define MIC_CE   "awV+hSGFV3hgsv5GYjVBQBO7DiorrDikT5oJo/g7q1E="

/* Each nesting of T; the compressed one is given where it is T that is compressed. */
static struct bytes nest(const struct nesting *n, struct bytes compressed)
{
    struct bytes e = entity_text(T_ENTITY);

    if (n->compress == AS2_COMPRESS_BEFORE || (n->compress && !n->is_signed)) {
        bytes_free(&e);
        bytes_put(&e, compressed.p, compressed.n);
    }
    if (n->is_signed)
        e = entity_signed(e);
    if (n->compress == AS2_COMPRESS_AFTER && n->is_signed)
        e = entity_compressed(e);
    return n->encrypted ? entity_encrypted(e) : e;
}

static void check_vector(size_t i, struct bytes compressed, bool der)
{
    static const char *const want[] = { MIC_BODY, MIC_T, MIC_T, MIC_T,  MIC_T,
                                        MIC_CE,   MIC_T, MIC_T, MIC_CE, MIC_T };
    struct message m = message_from(nest(&nestings[i], compressed));
    struct as2_open_options o = open_options(&m);

    for (size_t chunk = 1; chunk < 5000; chunk *= 13) {
        struct seen seen = { 0 };

        open_message(&o, &m, chunk, &seen);
        if (!seen.ok)
            fail_msg("%s: %s", nestings[i].name, seen.err.text);
        if (der || strcmp(want[i], MIC_CE) != 0)
            expect_mic(&seen.opened.mic, NID_sha256, want[i]);
        assert_true(span_is(bytes_span(&seen.payload[0].octets), "hello\r\n"));
        seen_free(&seen);
    }
    message_free(&m);
}

/* AS2-C50, AS2-C51, AS2-C52, AS2-C115: as2.md 13.2, compressed in DER and in BER. */
static void the_ten_vectors_have_their_mics(void **state)
{
    (void)state;
    for (unsigned der = 0; der < 2; der++) {
        uint8_t octets[200];
        struct bytes c =
            entity_of(COMPRESSED_HEAD, hex(der ? compressed_der : compressed_ber, octets));

        if (der)
            CHECK_EQ(c.n, 272);
        for (size_t i = 0; i < COUNT_OF(nestings); i++)
            check_vector(i, c, der);
        bytes_free(&c);
    }
}

/* The message of as2.md 13.1 with the known signature k. */
static struct message known_message(const char *entity, size_t k)
{
    static const char *const signatures[] = { known_rsa_signature, known_ec_signature,
                                              known_bare_signature };
    const char *s = signatures[k];
    struct bytes b = { 0 };
    struct message m;

    bytes_put(&b, "--OUTER-0001\r\n", 14);
    bytes_put(&b, entity, strlen(entity));
    m = message_of("Content-Type: multipart/signed; protocol=\"application/pkcs7-signature\"; "
                   "micalg=sha-256; boundary=\"OUTER-0001\"\r\n",
                   bytes_span(&b));
    bytes_free(&b);
    b = entity_of("\r\n--OUTER-0001\r\n"
                  "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
                  "Content-Transfer-Encoding: base64\r\n"
                  "Content-Disposition: attachment; filename=smime.p7s\r\n",
                  span_of(NULL, 0));
    for (size_t i = 0; i < strlen(s); i += 76) {
        bytes_put(&b, s + i, strlen(s) - i < 76 ? strlen(s) - i : 76);
        bytes_put(&b, "\r\n", 2);
    }
    bytes_put(&m.body, b.p, b.n);
    bytes_put(&m.body, "\r\n--OUTER-0001--\r\n", 18);
    bytes_free(&b);
    return m;
}

/* AS2-C37, AS2-C47, AS2-C55, AS2-C108: KAT-1 to KAT-3; KAT-3 is SHA-384 whatever micalg says. */
static void the_known_signatures_open_a_message(void **state)
{
    X509 *certs[] = { known_certificate(known_rsa_certificate),
                      known_certificate(known_ec_certificate) };
    struct as2_request list = { .mdn = true,
                                .has_options = true,
                                .micalgs = { { NID_sha384, "SHA384" } },
                                .micalgs_n = 1 };
    char tampered[] = KNOWN_ENTITY;

    (void)state;
    tampered[200] ^= 1;
    for (size_t k = 0; k < 3; k++) {
        struct message m = known_message(KNOWN_ENTITY, k), bad = known_message(tampered, k);
        struct as2_open_options o = open_options(&m);
        struct seen seen = { 0 };

        o.signers = &certs[k > 0];
        o.digest_besides = k == 2 ? NID_sha384 : 0;
        open_message(&o, &m, 1, &seen);
        if (!seen.ok)
            fail_msg("%zu: %s", k, seen.err.text);
        assert_true(seen.opened.trusted);
        assert_true(span_is(bytes_span(&seen.payload[0].octets), KNOWN_PAYLOAD));
        assert_string_equal(seen.payload[0].file_name, "orders.edi");
        if (k < 2)
            expect_mic(&seen.opened.mic, NID_sha256,
                       "f0KmXz0RYKJFXO+r4P5lutLxRVbbyqOvBdW+1V2A3J8=");
        else
            expect_mic(&seen.opened.mic, NID_sha384,
                       "DTPMevedMSbONdhQq2p8JKEGyuKqk4Vlgm+qHxSvVPRi2jH4K5dFeEXe5jA7FFfW");
        seen_free(&seen);
        o.request = &list;
        o.mic_by_list = true;
        open_message(&o, &m, 1000, &seen);
        assert_true(seen.ok);
        CHECK_EQ(seen.opened.mic.nid, NID_sha384);
        assert_string_equal(seen.mic_spelling, "SHA384");
        seen_free(&seen);
        expect_fault(&o, &bad, AS2_INTEGRITY);
        o.signers = &certs[k == 0];
        expect_fault(&o, &m, AS2_AUTHENTICATION);
        message_free(&m);
        message_free(&bad);
    }
    X509_free(certs[0]);
    X509_free(certs[1]);
}

/* AS2-C52: other digests than SHA-256, and a plain message without its header. */
static void the_mic_of_a_plain_message_is_of_its_body(void **state)
{
    static const struct {
        int nid;
        const char *base64;
    } want[] = { { NID_sha256, "z+K/vMYV6RvFRnZJ43ayqQ9u1wr/9saNPmenWHgcuJc=" },
                 { NID_sha1, "u/hAKKyjJ1wvAezCvzmVycVWK6Q=" } };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(want); i++) {
        struct message m =
            message_of("Content-Type: application/EDIFACT\r\n", span_text(KNOWN_PAYLOAD));
        struct as2_request list = { .mdn = true,
                                    .has_options = true,
                                    .micalgs = { { want[i].nid, "x" } },
                                    .micalgs_n = 1 };
        struct as2_open_options o = open_options(&m);
        struct seen seen = { 0 };

        o.request = &list;
        open_message(&o, &m, 10, &seen);
        assert_true(seen.ok);
        expect_mic(&seen.opened.mic, want[i].nid, want[i].base64);
        seen_free(&seen);
        message_free(&m);
    }
}

/* ---- grammar ------------------------------------------------------------------------------ */

static struct bytes plain(void)
{
    return entity_text(T_ENTITY);
}

/* AS2-C32 */
static void other_nestings_are_refused(void **state)
{
    struct {
        struct bytes entity;
        enum as2_fault fault;
    } cases[] = {
        { entity_encrypted(entity_encrypted(plain())), AS2_UNEXPECTED },
        { entity_signed(entity_signed(plain())), AS2_UNEXPECTED },
        { entity_signed(entity_encrypted(plain())), AS2_UNEXPECTED },
        { entity_compressed(entity_encrypted(plain())), AS2_UNEXPECTED },
        { entity_encrypted(entity_signed(entity_signed(plain()))), AS2_UNEXPECTED },
        { entity_signed(entity_compressed(entity_signed(plain()))), AS2_UNEXPECTED },
        { entity_compressed(entity_compressed(plain())), AS2_DECOMPRESSION },
        { entity_encrypted(entity_compressed(entity_compressed(plain()))), AS2_DECOMPRESSION },
        { entity_compressed(entity_signed(entity_compressed(plain()))), AS2_DECOMPRESSION },
        { entity_signed(entity_compressed(entity_compressed(plain()))), AS2_DECOMPRESSION },
        { entity_opaque(entity_opaque(plain())), AS2_UNEXPECTED },
        { entity_opaque(entity_signed(plain())), AS2_UNEXPECTED },
        { entity_signed(entity_opaque(plain())), AS2_UNEXPECTED },
        { entity_opaque(entity_encrypted(plain())), AS2_UNEXPECTED },
        { entity_opaque(entity_compressed(entity_opaque(plain()))), AS2_UNEXPECTED },
        { entity_opaque(entity_compressed(entity_compressed(plain()))), AS2_DECOMPRESSION },
        { entity_compressed(entity_opaque(entity_compressed(plain()))), AS2_DECOMPRESSION },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct message m = message_from(cases[i].entity);
        struct as2_open_options o = open_options(&m);

        expect_fault(&o, &m, cases[i].fault);
        message_free(&m);
    }
}

/* AS2-C44: by the object's own identifier; what smime-type says is a hint. */
static void smime_type_may_be_missing_or_wrong(void **state)
{
    static const char *const heads[] = {
        "Content-Type: application/pkcs7-mime\r\n",
        "Content-Type: application/pkcs7-mime; smime-type=signed-data\r\n",
        "Content-Type: application/pkcs7-mime; smime-type=enveloped-data; name=smime.p7m;\r\n",
        "Content-Type: application/x-pkcs7-mime; smime-type=compressed-data\r\n",
        "content-type: Application/PKCS7-MIME; SMIME-Type=nonsense\r\n",
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(heads); i++)
        for (unsigned k = 0; k < 3; k++) {
            struct bytes e = k == 0   ? entity_compressed(plain())
                             : k == 1 ? entity_encrypted(plain())
                                      : entity_opaque(plain());
            const uint8_t *end = memmem(e.p, e.n, "\r\n\r\n", 4);
            struct message m =
                message_of(heads[i], span_of(end + 4, e.n - (size_t)(end + 4 - e.p)));
            struct as2_open_options o = open_options(&m);

            expect_opened(&o, &m, 1, span_text("hello\r\n"));
            bytes_free(&e);
            message_free(&m);
        }
}

/* What is no CMS object at all is blamed on the layer that was announced. */
static void nonsense_is_the_fault_of_the_layer_announced(void **state)
{
    static const struct {
        const char *type;
        enum as2_fault fault;
    } cases[] = {
        { "enveloped-data", AS2_DECRYPTION },     { "authEnveloped-data", AS2_DECRYPTION },
        { "compressed-data", AS2_DECOMPRESSION }, { "signed-data", AS2_INTEGRITY },
        { "certs-only", AS2_UNEXPECTED },
    };

    (void)state;
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        char head[100];
        struct message m;
        struct as2_open_options o;

        (void)snprintf(head, sizeof(head),
                       "Content-Type: application/pkcs7-mime; smime-type=%s\r\n",
                       cases[i].type);
        m = message_of(head, span_text("nonsense"));
        o = open_options(&m);
        expect_fault(&o, &m, cases[i].fault);
        message_free(&m);
        m = message_of(head, span_text(""));
        o = open_options(&m);
        expect_fault(&o, &m, cases[i].fault);
        message_free(&m);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_ten_vectors_have_their_mics),
        cmocka_unit_test(the_known_signatures_open_a_message),
        cmocka_unit_test(the_mic_of_a_plain_message_is_of_its_body),
        cmocka_unit_test(other_nestings_are_refused),
        cmocka_unit_test(smime_type_may_be_missing_or_wrong),
        cmocka_unit_test(nonsense_is_the_fault_of_the_layer_announced),
    };

    return cmocka_run_group_tests(tests, make_parties, free_parties);
}
