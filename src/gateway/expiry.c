/* Certificates and revocation lists watched: what ends soon is said 30, 14 and 3 days ahead, and
 * every day in the last three and once it has ended; a list that was renewed is read. */
#include "gateway/certificates.h"
#include "pki/tsl.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

enum { DAY_MS = 24 * 3600 * 1000 };

/* What was said of one component. */
struct said {
    struct said *next;
    char name[65];
    char fingerprint[65]; /* of the one it was said of */
    int stage;
    int64_t again_ms; /* when it may be repeated */
    int64_t crl_s;    /* nextUpdate of the list that is overdue; 0: it was not */
    int64_t crl_again_ms;
    int64_t trust_list_again_ms;
};

struct watch {
    struct gateway *g;
    int64_t next_ms;            /* when to look again; by net_now_ms */
    int64_t trust_ms;           /* when chains are built again */
    const struct snapshot *was; /* only compared: what was looked at last */
    struct said *said;
};

struct watch *watch_new(struct gateway *g)
{
    struct watch *w = calloc(1, sizeof(*w));

    if (w != NULL)
        w->g = g;
    return w;
}

void watch_free(struct watch *w)
{
    while (w != NULL && w->said != NULL) {
        struct said *next = w->said->next;

        free(w->said);
        w->said = next;
    }
    free(w);
}

static struct said *said_of(struct watch *w, const char *name)
{
    struct said *s = w->said;

    while (s != NULL && strcmp(s->name, name) != 0)
        s = s->next;
    if (s != NULL || (s = calloc(1, sizeof(*s))) == NULL)
        return s;
    (void)text_copy(s->name, sizeof(s->name), name);
    s->stage = INT_MAX;
    s->next = w->said;
    w->said = s;
    return s;
}

/* Where a newer one stands ready, the older may end in peace. */
static const struct pki_certificate *last_to_end(const struct certificate *c, int64_t now_s)
{
    const struct pki_certificate *last = NULL;

    for (size_t i = 0; i < c->set.n; i++) {
        const struct pki_certificate *x = c->set.list[i];
        bool counts = pki_valid_at(x->leaf, now_s);

        if (last == NULL ||
            (counts && (!pki_valid_at(last->leaf, now_s) ||
                        pki_days_left(x->leaf, now_s) > pki_days_left(last->leaf, now_s))))
            last = x;
    }
    return last;
}

int certificate_days_left(const struct certificate *c, int64_t now_s)
{
    const struct pki_certificate *last = last_to_end(c, now_s);

    return last == NULL ? INT_MIN : pki_days_left(last->leaf, now_s);
}

/* The warning that is due at so many days left: 30, 14, 3, 0 (ended), or 31: none yet. */
static int stage_of(int days)
{
    return days < 0 ? 0 : days <= 3 ? 3 : days <= 14 ? 14 : days <= 30 ? 30 : 31;
}

static void warn(const struct certificate *c, const X509 *x, int days)
{
    char subject[200];

    pki_subject(x, subject, sizeof(subject));
    log_event(days <= 3 ? LOG_ERROR : LOG_WARN,
              days < 0 ? "certificate.expired" : "certificate.expires", "certificate", c->name,
              "subject", subject, "days_left", log_num(days), "look_at",
              "get a new one and add it with `waybill certificates import NAME FILE --next`, "
              "or list it under `also`",
              NULL);
}

static void look_at_end(struct watch *w, const struct certificate *c, int64_t now_ms)
{
    const struct pki_certificate *last = last_to_end(c, now_ms / 1000);
    struct said *s = last == NULL ? NULL : said_of(w, c->name);
    char fingerprint[65];
    int days, stage;

    if (s == NULL)
        return;
    days = pki_days_left(last->leaf, now_ms / 1000);
    stage = stage_of(days);
    pki_fingerprint(last->leaf, fingerprint);
    if (strcmp(s->fingerprint, fingerprint) != 0) {
        (void)text_copy(s->fingerprint, sizeof(s->fingerprint), fingerprint);
        s->stage = 31;
    }
    if (stage < s->stage || (stage <= 3 && now_ms >= s->again_ms)) {
        warn(c, last->leaf, days);
        s->again_ms = now_ms + DAY_MS;
    }
    s->stage = stage;
}

static void look_at_list(struct watch *w, const struct certificate *c, int64_t now_ms)
{
    struct said *s;
    char text[40];

    if (c->crl_next_s == 0 || c->crl_next_s > now_ms / 1000 ||
        (s = said_of(w, c->name)) == NULL ||
        (s->crl_s == c->crl_next_s && now_ms < s->crl_again_ms))
        return;
    s->crl_s = c->crl_next_s;
    s->crl_again_ms = now_ms + DAY_MS;
    (void)snprintf(text, sizeof(text), "%lld", (long long)(now_ms / 1000 - c->crl_next_s));
    log_event(c->cfg->crl_strict ? LOG_ERROR : LOG_WARN, "crl.overdue", "certificate", c->name,
              "crl_file", c->cfg->crl_file, "seconds", text, "look_at",
              c->cfg->crl_strict ? "the certificate is refused (crl_strict) until the current "
                                   "list is there"
                                 : "get the current list: what it revokes is not known here",
              NULL);
}

/* A trust list whose successor is due: the authorities it names may have been removed since. */
static void look_at_trust_list(struct watch *w, const struct certificate *c, int64_t now_ms)
{
    const char *until = c->cfg->trust_list_until;
    int64_t until_s = until == NULL ? 0 : pki_tsl_time(until);
    struct said *s;

    if (until_s == 0 || until_s > now_ms / 1000 || (s = said_of(w, c->name)) == NULL ||
        now_ms < s->trust_list_again_ms)
        return;
    s->trust_list_again_ms = now_ms + DAY_MS;
    log_event(LOG_WARN, "trust_list.overdue", "certificate", c->name, "until", until, "look_at",
              "get the current list and run `waybill trust-list`", NULL);
}

static bool list_changed(const struct certificate *c, int64_t now_s)
{
    struct file_mark now;

    if (c->cfg->crl_file == NULL)
        return false;
    (void)file_marks(c->cfg->crl_file, &now);
    if (memcmp(&now, &c->crl_mark, sizeof(now)) != 0)
        return true;
    /* its time ran out since: what it is of must stop being used */
    return c->cfg->crl_strict && c->set.n > 0 && c->crl_next_s <= now_s;
}

static void load_anew(struct watch *w, const char *why)
{
    struct err err = { 0 };

    pthread_mutex_lock(&w->g->apply);
    if (gateway_rebuild(w->g, &err))
        log_event(LOG_INFO, "certificates.loaded", "because", why, NULL);
    else
        log_event(LOG_ERROR, "certificates.not_loaded", "because", why, "reason", err.text,
                  NULL);
    pthread_mutex_unlock(&w->g->apply);
}

void watch_look(struct watch *w, const struct snapshot *sn)
{
    int64_t now_ms = net_wall_ms();
    const char *why = NULL;
    bool chains = false;

    if (w == NULL || (sn == w->was && (int64_t)net_now_ms() < w->next_ms))
        return;
    w->was = sn;
    w->next_ms = (int64_t)net_now_ms() + (int64_t)w->g->rt->runtime.crl_check_ms;
    for (size_t i = 0; i < sn->certificates_n; i++) {
        const struct certificate *c = &sn->certificates[i];

        look_at_end(w, c, now_ms);
        look_at_list(w, c, now_ms);
        look_at_trust_list(w, c, now_ms);
        chains = chains || c->cfg->trust != NULL;
        if (list_changed(c, now_ms / 1000))
            why = c->cfg->crl_file;
        /* TLS contexts were made with the one of then */
        if (why == NULL && pki_set_sign(&c->set, now_ms / 1000) != c->current)
            why = "the time of another certificate has come";
    }
    /* what stands between a certificate and its authority may end, too */
    if (w->trust_ms == 0)
        w->trust_ms = now_ms + DAY_MS;
    if (why == NULL && chains && now_ms >= w->trust_ms)
        why = "a day has passed";
    if (why != NULL) {
        w->trust_ms = now_ms + DAY_MS;
        load_anew(w, why);
    }
}
