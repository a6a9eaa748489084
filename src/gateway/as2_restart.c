/* See as2_restart.h. */
#include "gateway/as2_restart.h"

#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

enum {
    ETAG_MAX = 200,
    KEPT_MIN = 64 * 1024, /* less is sent again as quickly as it is asked for */
    PARTS_MAX = 20,       /* held of one pair of names */
    REMEMBERED_MS = 24 * 3600 * 1000,
};

/* ---- one upload of a transfer at a time ------------------------------------------------------ */

/* Their number is that of the connections. */
static struct as2_part *claims;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

static bool claim(struct gateway *g, struct as2_part *p)
{
    const struct as2_part *o;

    pthread_mutex_lock(&lock);
    for (o = claims; o != NULL; o = o->next)
        if (o->claimed_in == g && strcmp(o->key, p->key) == 0)
            break;
    if (o == NULL) {
        p->claimed_in = g;
        p->next = claims;
        claims = p;
    }
    pthread_mutex_unlock(&lock);
    return o == NULL;
}

void as2_part_end(struct as2_part *p)
{
    struct as2_part **at = &claims;

    if (p->claimed_in == NULL)
        return;
    pthread_mutex_lock(&lock);
    while (*at != p)
        at = &(*at)->next;
    *at = p->next;
    pthread_mutex_unlock(&lock);
    p->claimed_in = NULL;
}

/* ---- what is held --------------------------------------------------------------------------- */

/* A strong entity tag in its quotes. */
static bool key_of(const char *from, const char *to, const char *etag, char *key, size_t cap)
{
    size_t n = etag == NULL ? 0 : strlen(etag);

    if (n < 3 || n > ETAG_MAX || etag[0] != '"' || etag[n - 1] != '"')
        return false;
    (void)snprintf(key, cap, "as2-part\x1f%s\x1f%s\x1f%s", from, to, etag);
    return true;
}

static bool find(struct gateway *g, const char *key, struct arena *a, struct document *d,
                 bool *found, struct err *err)
{
    struct document_filter f = {
        .direction = 1, .identity_key = key, .state = "receiving", .limit = 1
    };
    struct document *list = NULL;
    size_t n = 0;

    *found = false;
    if (!store_find_documents(g->store, &f, a, &list, &n, err))
        return false;
    if (n > 0) {
        *d = list[0];
        *found = true;
    }
    return true;
}

/* The whole message came before under this tag: its size, 0: it did not, or is no longer kept. *id:
 * whose tag it is; 0: nobody's. */
static uint64_t whole_size(struct gateway *g, const char *key, struct arena *a, int64_t *id)
{
    struct document d = { 0 };
    struct err err;
    bool found = false;

    *id = 0;
    if (!store_find_seen(g->store, key, net_wall_ms(), id, &err) || *id == 0 ||
        !store_get_document(g->store, *id, a, &d, &found, &err) || !found)
        return 0;
    return d.raw.size;
}

uint64_t as2_part_held(struct gateway *g, const char *from, const char *to, const char *etag,
                       struct arena *a)
{
    struct as2_part p;
    struct document d = { 0 };
    struct err err;
    bool found = false;
    int64_t id;

    if (!key_of(from, to, etag, p.key, sizeof(p.key)))
        return 0;
    if (find(g, p.key, a, &d, &found, &err) && found)
        return d.progress;
    return whole_size(g, p.key, a, &id);
}

/* ---- an upload begins ------------------------------------------------------------------------- */

/* "bytes 1000-4999/5000". */
static bool read_range(const char *text, uint64_t *from, uint64_t *to, uint64_t *total)
{
    uint64_t *const numbers[] = { from, to, total };
    const char ends[] = { '-', '/', '\0' };

    if (strncasecmp(text, "bytes ", 6) != 0)
        return false;
    text += 6;
    for (size_t i = 0; i < COUNT_OF(numbers); i++) {
        size_t digits = strspn(text, "0123456789");

        if (digits == 0 || digits > 18 || text[digits] != ends[i])
            return false;
        *numbers[i] = strtoull(text, NULL, 10);
        text += digits + 1;
    }
    return *from <= *to && *to < *total && *to + 1 == *total;
}

static bool refuse_range(struct gateway *g, struct http_request *r, uint64_t held)
{
    char extra[80];

    (void)snprintf(extra, sizeof(extra), "Content-Range: bytes */%llu\r\n",
                   (unsigned long long)held);
    as2_refuse(g, r, 416, "ask with HEAD how much is held", extra,
               "Content-Range does not go on from what is held", NULL);
    return false;
}

static bool busy(struct gateway *g, struct http_request *r)
{
    as2_refuse(g, r, 500, "", NULL,
               "this very transfer is being received on another connection", NULL);
    return false;
}

bool as2_part_begin(struct gateway *g, struct http_request *r, const char *from, const char *to,
                    struct arena *a, struct as2_part *p)
{
    const char *range = http_header(r, "Content-Range");
    struct document d = { 0 };
    struct err err = { 0 };
    uint64_t last = 0;
    bool found = false;

    *p = (struct as2_part) { .key = "" };
    if (!key_of(from, to, http_header(r, "ETag"), p->key, sizeof(p->key))) {
        p->key[0] = '\0';
        return range == NULL || refuse_range(g, r, 0);
    }
    if (range != NULL && (!read_range(range, &p->from, &last, &p->total) ||
                          (r->has_length && r->length != p->total - p->from))) {
        as2_refuse(g, r, 400, "Content-Range is not what it should be", NULL,
                   "Content-Range and Content-Length do not fit", NULL);
        return false;
    }
    if (!claim(g, p))
        return busy(g, r);
    if (!find(g, p->key, a, &d, &found, &err)) {
        as2_refuse(g, r, 503, "", "Retry-After: 60\r\n", err.text, NULL);
        return false;
    }
    if (found) {
        p->document_id = d.id;
        p->held = d.progress;
        p->ref = d.raw;
    } else {
        uint64_t size = whole_size(g, p->key, a, &p->earlier);

        if (p->from > 0) {
            p->held = size;
            p->whole = size > 0 ? p->earlier : 0;
        }
    }
    return p->from <= p->held || refuse_range(g, r, p->held);
}

bool as2_part_cut(struct gateway *g, struct as2_part *p, struct err *err)
{
    struct store_batch *b;
    bool ok;

    if (p->document_id == 0 || p->from == p->held)
        return true;
    b = store_batch_new();
    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    store_set_progress(b, p->document_id, p->from, 0);
    ok = store_commit(g->store, b, err);
    store_batch_free(b);
    if (ok)
        p->held = p->from;
    return ok;
}

/* ---- and ends ----------------------------------------------------------------------------------- */

static bool room_for_one_more(struct gateway *g, const struct document *d, struct arena *a)
{
    struct document_filter f = { .direction = 1,
                                 .state = "receiving",
                                 .protocol = "as2",
                                 .partner = d->partner,
                                 .limit = PARTS_MAX };
    struct document *list = NULL;
    struct err err;
    size_t n = 0;

    return store_find_documents(g->store, &f, a, &list, &n, &err) && n < PARTS_MAX;
}

bool as2_part_keep(struct gateway *g, const struct as2_part *p, struct document *d,
                   struct payload_writer *raw, struct arena *a)
{
    struct store_batch *b;
    struct err err = { 0 };
    bool ok;

    if (p->key[0] == '\0' || p->whole != 0 || d->progress < KEPT_MIN ||
        (p->document_id == 0 && !room_for_one_more(g, d, a)))
        return false;
    b = store_batch_new();
    ok = b != NULL && payload_checkpoint(raw, &d->raw, &err);
    if (ok) {
        d->state = DOC_RECEIVING;
        d->identity_key = p->key;
        d->changed_ms = net_wall_ms();
        d->total = p->total;
        store_put_document(b, d);
        store_add_event(b, d->id, d->changed_ms, "cut",
                        arena_printf(a, "%llu octets are held, to go on from",
                                     (unsigned long long)d->progress));
        ok = store_commit(g->store, b, &err);
    }
    store_batch_free(b);
    log_event(LOG_INFO, "as2.message.held", "partner", d->partner, "document", log_num(d->id),
              "octets", log_num((long long)d->progress), "reason", ok ? NULL : err.text, NULL);
    return ok;
}

void as2_part_done(struct store_batch *b, const struct as2_part *p, int64_t document_id,
                   int64_t now_ms)
{
    if (p->key[0] == '\0' || p->whole != 0)
        return;
    if (p->document_id != 0)
        store_set_state(b, p->document_id, DOC_BIT(DOC_RECEIVING), DOC_RECEIVING, now_ms, NULL,
                        NULL, NULL);
    if (p->earlier != 0 && p->earlier != document_id)
        store_add_seen(b, p->key, p->earlier, now_ms - 1); /* the tag serves again */
    store_add_seen(b, p->key, document_id, now_ms + REMEMBERED_MS);
}

bool as2_part_complete(const struct as2_part *p, uint64_t progress)
{
    return p->total == 0 || progress == p->total;
}

bool as2_part_reserve(struct gateway *g, const char *key, struct as2_part *p)
{
    *p = (struct as2_part) { .key = "" };
    return text_copy(p->key, sizeof(p->key), key) && claim(g, p);
}
