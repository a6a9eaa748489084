/* The receipt that is asked for: Disposition-Notification-To, Disposition-Notification-Options,
 * Receipt-Delivery-Option. RFC 4130 7.3; as2.md 1.4. */
#include "as2/as2_int.h"

#include <openssl/objects.h>
#include <strings.h>

enum { SPELLING_MAX = 32 }; /* longer ones name no digest */

/* Blanks around and one pair of quotes. */
static struct span trim(struct span s)
{
    s = as2_trim(s);
    if (s.n >= 2 && s.p[0] == '"' && s.p[s.n - 1] == '"')
        return trim(span_of(s.p + 1, s.n - 2));
    return s;
}

/* What precedes the next `mark`, trimmed; *s goes on behind it. */
static struct span cut(struct span *s, char mark)
{
    const uint8_t *p = memchr(s->p, mark, s->n);
    struct span first = { s->p, p != NULL ? (size_t)(p - s->p) : s->n };

    span_skip(s, p != NULL ? first.n + 1 : first.n);
    return trim(first);
}

static bool is_word(struct span s, const char *word)
{
    return s.n == strlen(word) && strncasecmp((const char *)s.p, word, s.n) == 0;
}

static bool add_micalg(struct as2_request *r, struct span name, struct arena *a)
{
    struct as2_micalg m = { NID_undef, NULL };

    if (r->micalgs_n == AS2_MICALGS_MAX)
        return true;
    if (name.n <= SPELLING_MAX)
        m.nid = as2_digest_of(name);
    m.spelling = arena_copy(a, name);
    r->micalgs[r->micalgs_n++] = m;
    return m.spelling != NULL;
}

/* One "attribute = importance, value, value". False: nobody can read it. */
static bool read_parameter(struct as2_request *r, struct span p, struct arena *a)
{
    struct span attribute = cut(&p, '='), value, odd = attribute;
    bool protocol = is_word(attribute, "signed-receipt-protocol");
    bool micalg = is_word(attribute, "signed-receipt-micalg");
    bool required = false, known = false;

    if (attribute.n == 0 || memchr(attribute.p, ',', attribute.n) != NULL || p.n == 0)
        return false;
    for (bool first = true; p.n > 0; first = false) {
        value = cut(&p, ',');
        if (first && (is_word(value, "required") || is_word(value, "optional"))) {
            required = is_word(value, "required");
            continue;
        }
        if (value.n == 0)
            continue;
        if (micalg && !add_micalg(r, value, a))
            return false;
        known |= is_word(value, "pkcs7-signature");
        if (protocol)
            odd = value;
    }
    r->protocol |= protocol && known;
    if (!required || micalg || (protocol && known) || r->bad_required != NULL)
        return true;
    r->bad_required = arena_copy(a, odd);
    r->bad_protocol = protocol;
    return r->bad_required != NULL;
}

/* False: nobody can read it. */
static bool read_options(struct as2_request *r, struct span s, struct arena *a)
{
    for (size_t i = 0; i < s.n; i++)
        if ((s.p[i] < ' ' && !as2_is_blank(s.p[i])) || s.p[i] > '~')
            return false;
    while (s.n > 0) {
        struct span p = cut(&s, ';');

        if (p.n > 0 && !read_parameter(r, p, a))
            return false;
    }
    return true;
}

void as2_request_read(const char *to, const char *options, const char *delivery,
                      struct arena *a, struct as2_request *r)
{
    struct as2_request q = { .mdn = to != NULL, .has_options = options != NULL };
    struct span url = trim(span_text(delivery != NULL ? delivery : ""));

    *r = q;
    if (options != NULL && !read_options(r, trim(span_text(options)), a)) {
        q.broken = true;
        *r = q;
    }
    if (r->mdn && url.n > 0)
        r->async_url = arena_copy(a, url);
}

static bool is_allowed(int nid, bool (*allowed)(int nid))
{
    if (nid == NID_undef)
        return false;
    return allowed != NULL ? allowed(nid) : nid != NID_md5;
}

/* The first of the list that is known and allowed; NULL: none. */
static const struct as2_micalg *first_supported(const struct as2_request *r,
                                                bool (*allowed)(int nid))
{
    for (size_t i = 0; i < r->micalgs_n; i++)
        if (is_allowed(r->micalgs[i].nid, allowed))
            return &r->micalgs[i];
    return NULL;
}

void as2_receipt_plan_make(const struct as2_request *r, bool (*allowed)(int nid),
                           struct as2_receipt_plan *plan)
{
    const struct as2_micalg *m = first_supported(r, allowed);

    *plan = (struct as2_receipt_plan) { .mdn = r->mdn, .digest = NID_undef };
    if (!r->mdn)
        return;
    if (r->bad_required != NULL) {
        plan->fault = r->bad_protocol ? AS2_UNSUPPORTED_FORMAT : AS2_UNSUPPORTED_OPTION;
        plan->failure = r->bad_protocol ? "unsupported format" : r->bad_required;
    } else if (r->micalgs_n > 0 && m == NULL) {
        plan->fault = AS2_UNSUPPORTED_MICALG;
        plan->failure = "unsupported MIC-algorithms";
    }
    plan->failed = plan->fault != AS2_FINE;
    plan->is_signed = r->protocol && !plan->failed;
    if (plan->is_signed && m != NULL)
        plan->digest = m->nid;
}

struct as2_mic_choice as2_mic_choose(const struct as2_request *r, int signature, bool by_list,
                                     int fallback, bool (*allowed)(int nid))
{
    static const struct as2_request nothing;
    const struct as2_micalg *m;
    int nid = signature != NID_undef ? signature : fallback;

    if (r == NULL)
        r = &nothing;
    m = first_supported(r, allowed);
    if (signature != NID_undef && !by_list)
        for (size_t i = 0; i < r->micalgs_n; i++)
            if (r->micalgs[i].nid == signature) {
                m = &r->micalgs[i];
                break;
            }
    if (m != NULL)
        return (struct as2_mic_choice) { m->nid, m->spelling };
    if (r->micalgs_n > 0)
        return (struct as2_mic_choice) { NID_undef, "" };
    return (struct as2_mic_choice) { nid, as2_digest_name(nid, false) };
}
