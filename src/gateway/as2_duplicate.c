/* The same message again: as2.md 5.4. */
#include "gateway/as2_int.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum {
    POLL_MS = 50,
    TRIM_SHARE = 20, /* of `number`: keys are trimmed each time so many messages have come */
    NUMBER_DAYS = 3650,
};

#define UNDECIDED (DOC_BIT(DOC_RECEIVING) | DOC_BIT(DOC_RECEIVED))

const char *as2_key(struct arena *a, const char *from, const char *to, const char *message_id)
{
    char id[AS2_MESSAGE_ID_MAX + 1];

    if (!as2_message_id_read(message_id, id))
        return NULL;
    /* 0x1f is in no name: no two messages share a key by chance */
    return arena_printf(a, "as2\x1f%s\x1f%s\x1f%s", from, to, id);
}

void as2_remember(struct gateway *g, struct store_batch *b, const struct listener *l,
                  const struct document *d, int64_t now_ms)
{
    const struct config_as2_operation *op = &l->process->as2;
    uint32_t number = op->reject_duplicates.number, every = number / TRIM_SHARE;
    int64_t ms = op->reject_duplicates.days > 0
                     ? (int64_t)op->reject_duplicates.days * 86400000
                     : (int64_t)g->rt->as2_server.duplicate_memory_ms;
    char prefix[2 * AS2_NAME_MAX + 16];

    if (!op->reject_duplicates.enabled || d->identity_key == NULL)
        return;
    if (number > 0)
        ms = (int64_t)NUMBER_DAYS * 86400000;
    store_add_seen(b, d->identity_key, d->id, now_ms + ms);
    /* spread: ids go up by the same each time when there is one partner only */
    if (number == 0 ||
        (every > 1 && ((uint64_t)d->id * UINT64_C(0x9E3779B97F4A7C15) >> 33) % every != 0))
        return;
    (void)snprintf(prefix, sizeof(prefix), "as2\x1f%s\x1f%s\x1f", d->from, d->to);
    store_trim_seen(b, prefix, number);
}

void as2_forget(struct store_batch *b, const struct document *d, int64_t now_ms)
{
    if (d->identity_key != NULL)
        store_add_seen(b, d->identity_key, d->id, now_ms - 1);
}

/* The message that came first, and its stored MDN. */
struct first {
    struct document d;
    struct receipt rc;
    bool found, has_mdn;
};

/* What the MDN of the first one says, or would. False: that is not decided. */
static bool outcome(const struct first *f, enum config_acknowledge mode, enum as2_fault *fault)
{
    const char *answered = props_get(&f->d.props, "waybill.answered");
    bool failed = f->d.state == DOC_FAILED;

    *fault = AS2_FINE;
    if (f->has_mdn)
        *fault = (enum as2_fault)f->rc.reason;
    else if (answered != NULL)
        *fault = strcmp(answered, "EERP") == 0 ? AS2_FINE : AS2_UNEXPECTED;
    else if (mode == ACK_PROCESSED && failed)
        *fault = AS2_UNEXPECTED;
    else if (mode == ACK_PROCESSED)
        return f->d.state == DOC_PROCESSED;
    return f->has_mdn || answered != NULL || mode != ACK_MANUAL;
}

/* Whether the first one is still to be answered: it is to be opened, maybe by hand, or its answer
 * waits for the process or for an operator. */
static bool undecided(const struct first *f, bool wants, enum config_acknowledge mode)
{
    enum as2_fault ignored;
    bool is_open =
        (UNDECIDED & DOC_BIT(f->d.state)) == 0 &&
        (f->d.state != DOC_FAILED || props_get(&f->d.props, "waybill.opened") != NULL);

    return f->found && f->d.state != DOC_REFUSED &&
           (!is_open || (wants && !outcome(f, mode, &ignored)));
}

static bool look(struct as2_in *in, int64_t original, struct arena *a, struct first *f,
                 bool *busy, struct err *err)
{
    *f = (struct first) { .found = false };
    if (!store_get_document(in->g->store, original, a, &f->d, &f->found, err) ||
        (f->found && !as2_answer_stored(in->g, original, a, &f->rc, &f->has_mdn, err)))
        return false;
    *busy = undecided(f, in->request.mdn, document_acknowledge(&f->d, in->l));
    return true;
}

/* Waits until the first one is decided. */
static bool wait_decided(struct as2_in *in, int64_t original, bool patient, struct first *f,
                         bool *busy, struct err *err)
{
    uint64_t until = net_now_ms() + (patient ? in->g->rt->as2_server.sync_wait_ms : 0);

    for (;;) {
        struct arena a = { 0 }; /* not that of the message: there may be many looks */
        bool ok = look(in, original, &a, f, busy, err);

        arena_free(&a);
        if (!ok)
            return false;
        if (!*busy || net_now_ms() >= until || atomic_load(&in->g->stopping))
            return look(in, original, &in->arena, f, busy, err);
        (void)usleep(POLL_MS * 1000);
    }
}

static bool same_octets(struct store *store, const struct payload_ref *x, int64_t x_id,
                        char x_role, const struct payload_ref *y, int64_t y_id, char y_role)
{
    uint8_t *px = malloc(READ_SIZE), *py = malloc(READ_SIZE);
    struct payload_reader *rx = NULL, *ry = NULL;
    struct err err;
    uint64_t at = 0;
    size_t nx = 1, ny = 0;
    bool same = px != NULL && py != NULL && x->size == y->size &&
                payload_open(store, x_id, x_role, x, &rx, &err) &&
                payload_open(store, y_id, y_role, y, &ry, &err);

    while (same && nx > 0) {
        same = payload_read(rx, at, (struct room) { px, READ_SIZE }, &nx, &err) &&
               payload_read(ry, at, (struct room) { py, READ_SIZE }, &ny, &err) && nx == ny &&
               memcmp(px, py, nx) == 0;
        at += nx;
    }
    payload_reader_free(rx);
    payload_reader_free(ry);
    free(px);
    free(py);
    return same;
}

/* As they came: no digest is kept for this, for duplicates are rare. */
static bool same_raw(struct as2_in *in, const struct document *first)
{
    struct err err;

    if (in->is_whole)
        return true;
    if (in->raw == NULL)
        return same_octets(in->g->store, &in->d.raw, in->d.id, 'r', &first->raw, first->id,
                           'r');
    return payload_size(in->raw) == first->raw.size && first->raw.kind != PAYLOAD_NONE &&
           payload_checkpoint(in->raw, &in->raw_ref, &err) &&
           same_octets(in->g->store, &in->raw_ref, in->d.id, 'r', &first->raw, first->id, 'r');
}

/* Octet by octet: the MICs of both speak of different digests. */
static bool same_opened(struct as2_in *in, const struct document *first)
{
    struct payload_ref ref = { 0 };
    struct err err;
    bool same = in->opened != NULL && payload_size(in->opened) == first->opened.size &&
                payload_checkpoint(in->opened, &ref, &err) &&
                same_octets(in->g->store, &ref, in->d.id, 'o', &first->opened, first->id,
                            document_opened_role(first));

    if (ref.kind == PAYLOAD_FILE)
        payload_remove(in->g->store, &ref);
    return same;
}

static bool same_content(struct as2_in *in, const struct document *first)
{
    const char *y = props_get(&first->props, AS2_MIC);
    struct as2_mic my;

    if (y != NULL && as2_mic_read(y, &my) && in->found->mic.n > 0 &&
        in->found->mic.nid == my.nid)
        return as2_mic_equal(&in->found->mic, &my);
    return same_opened(in, first);
}

/* What was asked for now goes with the first document: its MDN is posted where this one says. */
static void keep_wish(struct as2_in *in, struct store_batch *b, struct document *first)
{
    static const char *const names[] = { AS2_MDN_TO, AS2_MDN_OPTIONS, AS2_MDN_DELIVERY,
                                         AS2_MDN_URL, AS2_MDN_FALLBACK };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        const char *now = props_get(&in->d.props, names[i]);
        const char *then = props_get(&first->props, names[i]);

        if (now == NULL && then == NULL)
            continue;
        now = now == NULL ? "" : now;
        props_set(&first->props, &in->arena, names[i], now);
        store_set_prop(b, first->id, names[i], now);
    }
}

/* The stored MDN where it fits what is asked for now, else one made of the stored outcome. */
static bool answer(struct as2_in *in, struct first *first, struct span *mdn, struct err *err)
{
    const struct receipt *rc = &first->rc;
    enum config_acknowledge mode = document_acknowledge(&first->d, in->l);
    bool has_mdn = first->has_mdn, wants_signed = in->plan.is_signed,
         async = in->request.async_url != NULL;
    bool is_signed =
        has_mdn && memmem(rc->octets.p, rc->octets.n, "multipart/signed", 16) != NULL;
    bool fits = has_mdn && is_signed == wants_signed;
    enum as2_fault fault;
    struct store_batch *b;
    int64_t now = net_wall_ms();
    bool ok = true;

    *mdn = span_of(NULL, 0);
    if (!in->request.mdn || mode == ACK_NONE)
        return true;
    if (fits && !async) {
        *mdn = rc->octets;
        return true;
    }
    if (!outcome(first, mode, &fault))
        return FAIL(err, FAIL_AGAIN, 0, "the same message is not answered yet");
    b = store_batch_new();
    if (b == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    keep_wish(in, b, &first->d);
    if (!fits) {
        ok = as2_answer_plan(in->g, b, in->sn, in->l, &first->d, fault, NULL, NULL, now,
                             &in->arena, mdn, err);
        store_add_event(b, first->d.id, now, "MDN made anew",
                        "the message came again with another wish for its receipt");
    }
    ok = ok && store_commit(in->g->store, b, err);
    store_batch_free(b);
    return ok && (!fits || as2_answer_again(in->g, &first->d, rc->id, err));
}

static void note(struct as2_in *in, int64_t original)
{
    struct store_batch *b = store_batch_new();
    struct err err;

    if (b == NULL)
        return;
    store_add_event(b, original, net_wall_ms(), "duplicate",
                    "the message came again and was answered as before");
    (void)!store_commit(in->g->store, b, &err);
    store_batch_free(b);
    log_event(LOG_WARN, "as2.duplicate", "document", log_num(original), "partner",
              in->d.partner, "message_id", props_get(&in->d.props, AS2_MESSAGE_ID), NULL);
}

enum as2_again as2_duplicate(struct as2_in *in, int64_t original, struct span *mdn,
                             struct err *err)
{
    bool async = in->request.mdn && in->request.async_url != NULL, opened = in->found != NULL;
    bool busy = false;
    struct first first;

    *mdn = span_of(NULL, 0);
    if (!wait_decided(in, original, !async, &first, &busy, err))
        return AS2_AGAIN_BUSY;
    if (!first.found)
        return AS2_AGAIN_GONE;
    if (first.d.state == DOC_REFUSED)
        return AS2_AGAIN_NEW;
    if (busy)
        return async && same_raw(in, &first.d) ? AS2_AGAIN_SAME : AS2_AGAIN_BUSY;
    if (!same_raw(in, &first.d)) {
        if (!opened)
            return AS2_AGAIN_NEW; /* the worker opens it first, and asks again */
        if (in->local)
            return AS2_AGAIN_BUSY;
        if (in->fault != AS2_FINE)
            return AS2_AGAIN_FAULT;
        if (!same_content(in, &first.d))
            return first.d.opened.kind == PAYLOAD_NONE ? AS2_AGAIN_GONE : AS2_AGAIN_OTHER;
    }
    if (!answer(in, &first, mdn, err))
        return AS2_AGAIN_BUSY;
    note(in, original);
    return AS2_AGAIN_SAME;
}
