/* The frame of a ContentInfo, RFC 5652 section 3, in DER and in BER of indefinite length. */
#include "cms/cms_int.h"

#include <openssl/err.h>
#include <openssl/objects.h>

int cms_kind_nid(enum cms_kind kind)
{
    switch (kind) {
    case CMS_DATA:
        return NID_pkcs7_data;
    case CMS_SIGNED:
        return NID_pkcs7_signed;
    case CMS_ENVELOPED:
        return NID_pkcs7_enveloped;
    case CMS_AUTH_ENVELOPED:
        return NID_id_smime_ct_authEnvelopedData;
    case CMS_COMPRESSED:
        return NID_id_smime_ct_compressedData;
    }
    return NID_undef;
}

const char *cms_kind_name(enum cms_kind kind)
{
    switch (kind) {
    case CMS_DATA:
        return "data";
    case CMS_SIGNED:
        return "signed data";
    case CMS_ENVELOPED:
        return "enveloped data";
    case CMS_AUTH_ENVELOPED:
        return "authenticated enveloped data";
    case CMS_COMPRESSED:
        return "compressed data";
    }
    return "unknown data";
}

static bool implicit(enum cms_kind kind)
{
    return kind == CMS_ENVELOPED || kind == CMS_AUTH_ENVELOPED;
}

void form_der(struct der *d, const struct form *f)
{
    size_t whole = d->n, inner;

    der_span(d, f->tail);
    inner = d->n;
    if (f->content != NULL && implicit(f->kind)) {
        der_element(d, BER_CONTEXT, *f->content);
    } else if (f->content != NULL) {
        size_t wrapper = d->n;

        der_element(d, BER_OCTET_STRING, *f->content);
        der_wrap(d, BER_CONTEXT_CONSTRUCTED, wrapper);
    }
    der_span(d, f->inner);
    der_wrap(d, BER_SEQUENCE, inner);
    der_span(d, f->head);
    der_wrap(d, BER_SEQUENCE, whole);
    der_wrap(d, BER_CONTEXT_CONSTRUCTED, whole);
    der_oid(d, cms_kind_nid(f->kind));
    der_wrap(d, BER_SEQUENCE, whole);
}

static bool put(struct grow *g, struct span s, struct err *err)
{
    return grow_put(g, s) || NO_MEMORY(err);
}

bool form_begin(struct grow *g, const struct form *f, struct err *err)
{
    static const uint8_t sequence[] = { BER_SEQUENCE, 0x80 };
    static const uint8_t wrapped[] = { BER_CONTEXT_CONSTRUCTED, 0x80, BER_SEQUENCE, 0x80 };
    static const uint8_t segments[] = { BER_CONTEXT_CONSTRUCTED, 0x80,
                                        BER_OCTET_STRING | BER_CONSTRUCTED, 0x80 };
    struct der type = { 0 };
    bool ok;

    der_oid(&type, cms_kind_nid(f->kind));
    ok = !type.failed || NO_MEMORY(err);
    ok = ok && put(g, span_of(sequence, sizeof(sequence)), err);
    ok = ok && put(g, der_all(&type), err);
    ok = ok && put(g, span_of(wrapped, sizeof(wrapped)), err);
    ok = ok && put(g, f->head, err);
    ok = ok && put(g, span_of(sequence, sizeof(sequence)), err);
    ok = ok && put(g, f->inner, err);
    ok = ok && put(g, span_of(segments, implicit(f->kind) ? 2 : 4), err);
    der_free(&type);
    return ok;
}

bool form_end(struct grow *g, const struct form *f, struct err *err)
{
    static const uint8_t ends[6] = { 0 };

    /* the octet string, what wraps it, the inner sequence; then body, [0] and ContentInfo */
    return put(g, span_of(ends, implicit(f->kind) ? 4 : 6), err) && put(g, f->tail, err) &&
           put(g, span_of(ends, 6), err);
}

/* Of this thread, since cms_ssl_begin(): libcrypto's queue is of the thread, too. */
static _Thread_local bool starved;

void cms_ssl_begin(void)
{
    starved = false;
    ERR_clear_error();
}

void cms_ssl_clear(void)
{
    unsigned long code;

    while ((code = ERR_get_error()) != 0)
        starved = starved || ERR_GET_REASON(code) == ERR_R_MALLOC_FAILURE;
    ERR_clear_error(); /* its marks, too */
}

void cms_ssl_judge(struct err *err)
{
    cms_ssl_clear();
    if (starved && err->kind == FAIL_TRUST)
        (void)NO_MEMORY(err);
}

const char *cms_ssl_reason(void)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code != 0 ? ERR_reason_error_string(code) : NULL;

    cms_ssl_clear();
    return reason != NULL ? reason : "no reason given";
}
