/* MDNs as received: as2.md 4.2, 4.3, 6.5, 10. RFC 4130 7, RFC 3798 3. */
#include "as2/mdn_int.h"

#include <openssl/objects.h>
#include <strings.h>

enum { HTTP_BAD_REQUEST = 400, BEHIND_MAX = 64 };

/* ---- text for people --------------------------------------------------------------------- */

/* UTF-8 stays, other octets are taken for ISO-8859-1. */
static const char *people_text(struct span s, struct arena *a)
{
    char *text = arena_take(a, AS2_TEXT_MAX + 1);
    size_t n = 0;

    while (text != NULL && s.n > 0 && n + 4 <= AS2_TEXT_MAX) {
        size_t k = as2_utf8_character(s);
        uint8_t c = s.p[0];

        if (c == '\n' || (c == '\r' && (s.n == 1 || s.p[1] != '\n'))) {
            text[n++] = '\n';
        } else if (c == '\t') {
            text[n++] = ' ';
        } else if (k > 1 && !(c == 0xC2 && s.p[1] < 0xA0)) {
            memcpy(text + n, s.p, k);
            n += k;
        } else if (k == 0 && c >= 0xA0) {
            text[n++] = (char)(0xC0 | c >> 6);
            text[n++] = (char)(0x80 | (c & 0x3F));
        } else if (c != '\r') {
            text[n++] = (char)(k != 1 || c < ' ' || c == 0x7F ? '?' : c);
        }
        span_skip(&s, k > 0 ? k : 1);
    }
    while (n > 0 && (text[n - 1] == '\n' || text[n - 1] == ' '))
        text[--n] = '\0';
    return text;
}

/* The first part that is text; nothing in it makes the MDN a bad one. */
static void read_text(struct span part, struct arena *a, struct as2_mdn_in *m)
{
    struct as2_entity e;
    struct err err;
    bool ok = as2_entity_read(part, a, &e, &err) && as2_entity_decode(&e, a, &err);
    const char *text = people_text(ok ? e.body : part, a);

    if (text != NULL)
        m->text = text;
}

/* ---- message/disposition-notification ---------------------------------------------------- */

/* The lines up to the first empty one; such ones at the beginning are skipped. */
static struct span field_block(struct span s)
{
    size_t line = 0;

    while (s.n > 0 && (s.p[0] == '\r' || s.p[0] == '\n'))
        span_skip(&s, 1);
    for (size_t i = 0; i < s.n; i++) {
        if (s.p[i] != '\n')
            continue;
        if (i == line || (i == line + 1 && s.p[line] == '\r'))
            return span_of(s.p, line);
        line = i + 1;
    }
    return s;
}

/* The value of a field that must not be there with two values; NULL: none. */
static bool get_one(const struct mime_head *h, const char *name, const char **value,
                    struct err *err)
{
    const char *first = mime_head_get(h, name);

    for (size_t i = 0; i < h->n; i++)
        if (strcasecmp(h->fields[i].name, name) == 0 && strcmp(h->fields[i].value, first) != 0)
            return FAIL(err, FAIL_PEER, 0, "two %s fields differ", name);
    *value = first;
    return true;
}

/* "rfc822; NAME": the name. The type may be another or missing. */
static const char *recipient(const char *value)
{
    size_t n;

    if (value == NULL)
        return NULL;
    n = strspn(value, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-");
    n += strspn(value + n, " \t");
    if (n == 0 || value[n] != ';')
        return value;
    value += n + 1;
    return value + strspn(value, " \t");
}

/* "<id> (comment)": "<id>". Anything else is left as it is. */
static const char *message_id(const char *value, struct arena *a)
{
    const char *end = value == NULL || value[0] != '<' ? NULL : strstr(value, "> (");

    if (end == NULL || value[strlen(value) - 1] != ')')
        return value;
    return arena_copy(a, span_of(value, (size_t)(end - value) + 1));
}

static bool read_fields(struct span part, struct arena *a, struct as2_mdn_in *m,
                        struct err *err)
{
    static const char *const details[] = { "Error", "Failure", "Warning" };
    struct mime_head h;

    if (!mime_head_read(field_block(part), a, &h, err) ||
        !get_one(&h, "Original-Message-ID", &m->original_message_id, err) ||
        !get_one(&h, "Disposition", &m->disposition, err) ||
        !get_one(&h, "Received-content-MIC", &m->mic_text, err))
        return false;
    m->reporting_ua = mime_head_get(&h, "Reporting-UA");
    m->final_recipient = recipient(mime_head_get(&h, "Final-Recipient"));
    m->original_message_id = message_id(m->original_message_id, a);
    if (m->disposition != NULL)
        m->class = as2_disposition_read(m->disposition, a, &m->detail);
    for (size_t i = 0; i < COUNT_OF(details) && m->detail[0] == '\0'; i++) {
        const char *detail = mime_head_get(&h, details[i]);

        if (detail != NULL && m->class != AS2_POSITIVE)
            m->detail = detail;
    }
    if (m->mic_text != NULL && !as2_mic_read(m->mic_text, &m->mic))
        m->mic = (struct as2_mic) { .nid = NID_undef };
    return true;
}

/* ---- its entities ------------------------------------------------------------------------ */

static bool read_report(const struct as2_entity *report, struct arena *a, struct as2_mdn_in *m,
                        struct err *err)
{
    struct as2_parts parts;
    bool found = false, text = false;

    if (!as2_parts_read(report, a, &parts, err))
        return false;
    for (size_t i = 0; i < parts.n; i++) {
        struct as2_entity e;
        struct err why;

        if (as2_entity_read(parts.part[i], a, &e, &why) &&
            strcmp(e.type.value, "message/disposition-notification") == 0) {
            if (found)
                return FAIL(err, FAIL_PEER, 0, "it has two parts with fields");
            if (!as2_entity_decode(&e, a, err) || !read_fields(e.body, a, m, err))
                return false;
            found = true;
        } else if (!text) {
            read_text(parts.part[i], a, m);
            text = true;
        }
    }
    return found || FAIL(err, FAIL_PEER, 0, "no part is message/disposition-notification");
}

static bool is_signature(const char *type)
{
    return type[0] == '\0' || strcmp(type, "application/pkcs7-signature") == 0 ||
           strcmp(type, "application/x-pkcs7-signature") == 0;
}

/* The parts of multipart/signed; *report: the first. */
static bool read_signed(const struct as2_entity *whole, struct arena *a, struct as2_mdn_in *m,
                        struct as2_entity *report, struct err *err)
{
    struct as2_entity signature;
    struct as2_parts parts;

    if (!as2_parts_read(whole, a, &parts, err))
        return false;
    if (parts.n != 2)
        return FAIL(err, FAIL_PEER, 0, "multipart/signed has %zu parts, not 2", parts.n);
    if (!as2_entity_read(parts.part[0], a, report, err) ||
        !as2_entity_read(parts.part[1], a, &signature, err) ||
        !as2_entity_decode(&signature, a, err))
        return false;
    if (!is_signature(signature.type.value))
        return FAIL(err, FAIL_PEER, 0, "the second part is %.80s, not a signature",
                    signature.type.value);
    m->is_signed = true;
    m->signed_octets = parts.part[0];
    m->signature = signature.body;
    m->micalg = mime_param(&whole->type, "micalg");
    return as2_entity_decode(report, a, err);
}

static bool read_mdn(const struct mime_head *http, struct span body, struct arena *a,
                     struct as2_mdn_in *m, struct err *err)
{
    struct as2_entity e, report;

    if (body.n > AS2_MDN_MAX)
        return FAIL(err, FAIL_PEER, 0, "more than %d octets", AS2_MDN_MAX);
    if (!as2_entity_typed(http, body, a, &e, err) || !as2_entity_decode(&e, a, err))
        return false;
    report = e;
    if (strcmp(e.type.value, "multipart/signed") == 0 && !read_signed(&e, a, m, &report, err))
        return false;
    if (!as2_is_report(&report.type))
        return FAIL(err, FAIL_PEER, 0, "it is %.80s, not multipart/report",
                    report.type.value[0] != '\0' ? report.type.value : "without Content-Type");
    return read_report(&report, a, m, err) &&
           (!a->failed || FAIL(err, FAIL_LOCAL, 0, "out of memory"));
}

bool as2_mdn_read(const struct mime_head *http, struct span body, struct arena *a,
                  struct as2_mdn_in *out, struct err *err)
{
    struct as2_mdn_in m = { .class = AS2_INVALID, .detail = "", .text = "" };

    if (!read_mdn(http, body, a, &m, err)) {
        if (err->kind == FAIL_PEER)
            err->wire = HTTP_BAD_REQUEST;
        return err_context(err, "mdn");
    }
    *out = m;
    return true;
}

/* ---- its signature ----------------------------------------------------------------------- */

static bool explain(struct err *err)
{
    if (err->kind == FAIL_AGAIN) { /* it was given that digest */
        err->kind = FAIL_TRUST;
        err->wire = CMS_FORMAT;
    }
    if (err->kind == FAIL_TRUST)
        err->wire = err->wire == CMS_SIGNATURE ? AS2_AUTHENTICATION
                    : err->wire == CMS_POLICY  ? AS2_INSUFFICIENT
                                               : AS2_INTEGRITY;
    return err_context(err, "mdn");
}

static bool add_digest(int nid, struct span octets, struct cms_digest *d, size_t *n,
                       struct err *err)
{
    const EVP_MD *md = EVP_get_digestbynid(nid);
    unsigned size;

    d += *n;
    if (md == NULL || !EVP_Digest(octets.p, octets.n, d->value, &size, md, NULL))
        return FAIL(err, FAIL_TRUST, CMS_FORMAT, "its digest is not known here");
    d->nid = nid;
    d->n = size;
    (*n)++;
    return true;
}

/* End-of-contents octets and line ends behind the object: as2.md 2.4. */
static bool check_behind(struct span s, struct err *err)
{
    bool ok = s.n <= BEHIND_MAX;

    for (size_t i = 0; i < s.n && ok; i++)
        ok = s.p[i] == '\0' || s.p[i] == '\r' || s.p[i] == '\n';
    return ok || FAIL(err, FAIL_TRUST, AS2_INTEGRITY, "octets follow its signature");
}

bool as2_mdn_verify(const struct as2_mdn_in *m, X509 *const *signers, size_t signers_n,
                    bool (*digest_allowed)(int nid), struct cms_layer *layer, struct err *err)
{
    const struct cms_open_options o = { .signers = signers,
                                        .signers_n = signers_n,
                                        .digest_allowed = digest_allowed };

    return as2_mdn_verify_by(m, &o, layer, err);
}

bool as2_mdn_verify_by(const struct as2_mdn_in *m, const struct cms_open_options *who,
                       struct cms_layer *layer, struct err *err)
{
    struct cms_digest digests[CMS_SIGNERS_MAX];
    struct span behind = m->signature;
    struct err why = { 0 };
    size_t n = 0, used;

    if (!m->is_signed)
        return FAIL(err, FAIL_TRUST, AS2_INSUFFICIENT, "mdn: it is not signed");
    /* which digest it takes the signature says */
    while (!cms_verify_digests(who, m->signature, digests, n, layer, &used, &why))
        if (why.kind != FAIL_AGAIN || n == COUNT_OF(digests) ||
            !add_digest(why.wire, m->signed_octets, digests, &n, &why)) {
            *err = why;
            return explain(err);
        }
    span_skip(&behind, used);
    return check_behind(behind, err) || err_context(err, "mdn");
}
