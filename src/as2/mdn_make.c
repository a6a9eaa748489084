/* MDNs to be sent: the shape of as2.md 4.1, the fields of 4.2 in their order. RFC 4130 7, RFC 3798 3,
 * RFC 6522. */
#include "as2/as2_int.h"

#include <openssl/crypto.h>
#include <stdlib.h>

enum {
    TEXT_LINE_MAX = 900, /* characters; RFC 5322 allows 998 */
    FAILURE_MAX = 300,
    LINE_OCTETS = 57, /* in one line of 76 characters of base64 */
};

#define SIGNED_TYPE                                                                            \
    "multipart/signed; protocol=\"application/pkcs7-signature\"; micalg=%s; boundary=\"%s\""
#define REPORT_TYPE "multipart/report; report-type=disposition-notification; boundary=\"%s\""

static bool is_boundary(const char *b)
{
    size_t n = strspn(b, "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz_=.-");

    return n > 0 && n <= MIME_BOUNDARY_MAX && b[n] == '\0';
}

/* Neither begins with the other, so that no reader takes one for the other. */
static bool are_apart(const char *a, const char *b)
{
    size_t n = strlen(a) < strlen(b) ? strlen(a) : strlen(b);

    return strncmp(a, b, n) != 0;
}

/* ASCII on one line. */
static const char *one_line(const char *text, struct arena *a)
{
    struct span s = span_text(text);
    char *line;

    s.n = s.n < FAILURE_MAX ? s.n : FAILURE_MAX;
    line = arena_copy(a, s);
    for (char *p = line; p != NULL && *p != '\0'; p++)
        if (*p < ' ' || *p > '~')
            *p = '?';
    return line;
}

/* ASCII lines, each ended by CRLF, none too long. */
static const char *people_text(const char *text, struct arena *a)
{
    char *lines = arena_take(a, 2 * AS2_TEXT_MAX + 3), *out = lines;
    size_t line = 0;

    for (size_t i = 0; lines != NULL && i < AS2_TEXT_MAX && text[i] != '\0'; i++) {
        char c = text[i];

        if (c == '\r' && text[i + 1] == '\n')
            continue;
        if (c == '\n' || line == TEXT_LINE_MAX) {
            out = stpcpy(out, "\r\n");
            line = 0;
        }
        if (c == '\n')
            continue;
        *out++ = (char)(c < ' ' || c > '~' ? '?' : c);
        line++;
    }
    if (lines != NULL && line > 0)
        (void)stpcpy(out, "\r\n");
    return lines;
}

/* Fields never begin a line like that, text may. */
static bool has_delimiter(const char *text, const char *boundary)
{
    size_t n = strlen(boundary);

    for (const char *p = text; p != NULL; p = strchr(p, '\n')) {
        p += *p == '\n';
        if (strncmp(p, "--", 2) == 0 && strncmp(p + 2, boundary, n) == 0)
            return true;
    }
    return false;
}

static const char *failure_field(enum as2_fault fault)
{
    const char *disposition = as2_fault_disposition(fault);

    if (strncmp(disposition, "failed", strlen("failed")) == 0)
        return "Failure";
    return strstr(disposition, "/error") != NULL ? "Error" : "Warning";
}

/* The fields of message/disposition-notification; NULL: one must not be sent. */
static const char *notification(const struct as2_mdn *m, struct arena *a)
{
    struct as2_headers h = { .arena = a };
    const char *name = as2_name_echo(m->final_recipient, a);
    const char *recipient = name == NULL ? NULL : arena_printf(a, "rfc822; %s", name);

    as2_header(&h, "Reporting-UA", m->reporting_ua);
    as2_header(&h, "Original-Recipient", recipient);
    as2_header(&h, "Final-Recipient", recipient);
    as2_header(&h, "Original-Message-ID", m->original_message_id);
    as2_header(&h, "Disposition",
               arena_printf(a, "automatic-action/MDN-sent-automatically; %s",
                            as2_fault_disposition(m->fault)));
    if (m->failure != NULL)
        as2_header(&h, failure_field(m->fault), one_line(m->failure, a));
    as2_header(&h, "Received-Content-MIC", m->mic);
    return h.failed || recipient == NULL || a->failed ? NULL : h.text;
}

/* The body of multipart/report. */
static const char *report_body(const struct as2_mdn *m, struct arena *a, struct err *err)
{
    const char *text = people_text(m->text != NULL ? m->text : "", a);
    const char *fields = notification(m, a);

    if (fields == NULL || text == NULL) {
        (void)FAIL(err, FAIL_LOCAL, 0,
                   a->failed
                       ? "mdn: out of memory"
                       : "mdn: the recipient, Message-ID or another field has octets that "
                         "must not be sent");
        return NULL;
    }
    if (has_delimiter(text, m->boundary_inner) || has_delimiter(text, m->boundary_outer)) {
        (void)FAIL(err, FAIL_LOCAL, 0, "mdn: its text has the boundary in it");
        return NULL;
    }
    return arena_printf(a,
                        "--%s\r\n"
                        "Content-Type: text/plain; charset=us-ascii\r\n"
                        "Content-Transfer-Encoding: 7bit\r\n"
                        "\r\n"
                        "%s"
                        "\r\n--%s\r\n"
                        "Content-Type: message/disposition-notification\r\n"
                        "Content-Transfer-Encoding: 7bit\r\n"
                        "\r\n"
                        "%s"
                        "\r\n--%s--\r\n",
                        m->boundary_inner, text, m->boundary_inner, fields, m->boundary_inner);
}

/* Lines of 76 characters, each ended by CRLF. */
static const char *base64_lines(struct span s, struct arena *a)
{
    char *text = arena_take(a, (s.n / LINE_OCTETS + 1) * (LINE_OCTETS / 3 * 4 + 2) + 1);
    char *out = text;

    while (text != NULL && s.n > 0) {
        size_t n = s.n < LINE_OCTETS ? s.n : LINE_OCTETS;

        out += EVP_EncodeBlock((uint8_t *)out, s.p, (int)n);
        out = stpcpy(out, "\r\n");
        span_skip(&s, n);
    }
    return text;
}

/* The body of multipart/signed around the report entity. */
static const char *sign(const char *report, const char *boundary,
                        const struct cms_signer *signer, const struct cms_sign_options *how,
                        struct arena *a, struct err *err)
{
    struct cms_sign_options o = *how;
    const char *lines;
    uint8_t *object;
    size_t n;

    o.signers = signer;
    o.signers_n = 1;
    o.detached = true;
    if (!cms_sign_octets(&o, span_text(report), &object, &n, err)) {
        (void)err_context(err, "mdn");
        return NULL;
    }
    lines = base64_lines(span_of(object, n), a);
    free(object);
    if (lines == NULL)
        return NULL;
    return arena_printf(a,
                        "--%s\r\n"
                        "%s"
                        "\r\n--%s\r\n"
                        "Content-Type: application/pkcs7-signature; name=smime.p7s\r\n"
                        "Content-Transfer-Encoding: base64\r\n"
                        "Content-Disposition: attachment; filename=smime.p7s\r\n"
                        "\r\n"
                        "%s"
                        "\r\n--%s--\r\n",
                        boundary, report, boundary, lines, boundary);
}

bool as2_mdn_make(const struct as2_mdn *m, const struct cms_signer *signer,
                  const struct cms_sign_options *how, bool legacy_names, struct arena *a,
                  const char **content_type, struct span *body, struct err *err)
{
    const char *report, *type, *entity, *text;

    if (!is_boundary(m->boundary_inner) || !is_boundary(m->boundary_outer) ||
        !are_apart(m->boundary_inner, m->boundary_outer))
        return FAIL(err, FAIL_LOCAL, 0, "mdn: its boundaries are not fit");
    if (m->final_recipient == NULL || m->original_message_id == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "mdn: recipient and Message-ID are needed");
    text = report = report_body(m, a, err);
    if (report == NULL)
        return false;
    type = arena_printf(a, REPORT_TYPE, m->boundary_inner);
    if (type != NULL && signer != NULL) {
        entity = arena_printf(a, "Content-Type: %s\r\n\r\n%s", type, report);
        type = arena_printf(a, SIGNED_TYPE,
                            as2_digest_name(EVP_MD_get_type(how->digest), legacy_names),
                            m->boundary_outer);
        text = entity == NULL ? NULL : sign(entity, m->boundary_outer, signer, how, a, err);
        if (text == NULL && !a->failed)
            return false;
    }
    if (type == NULL || text == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "mdn: out of memory");
    *content_type = type;
    *body = span_text(text);
    return true;
}
