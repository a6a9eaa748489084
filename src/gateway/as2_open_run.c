/* A message that was answered before it was opened: from its raw payload, on a worker. as2.md 5.1 steps
 * 10 to 24, 5.3. */
#include "gateway/as2_int.h"

#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>

enum { CRASHES_MAX = 3 }; /* of the runtime while it opened this message */

static bool reread_stored(void *context, uint64_t at, struct room room, size_t *n,
                          struct err *err)
{
    return payload_read(context, at, room, n, err);
}

static bool run(struct as2_in *in, struct payload_reader *raw, struct err *err)
{
    uint8_t *buffer = malloc(READ_SIZE);
    uint64_t at = 0;
    size_t n = 1;
    bool ok = buffer != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    as2_in_begin(in, NID_undef);
    while (ok && n > 0 && !in->stopped) {
        ok = payload_read(raw, at, (struct room) { buffer, READ_SIZE }, &n, err);
        if (ok && n > 0)
            as2_in_write(in, span_of(buffer, n));
        at += n;
        if (ok && atomic_load(&in->g->ending))
            ok = FAIL(err, FAIL_LOCAL, 0, "the runtime is being stopped");
    }
    free(buffer);
    if (ok)
        as2_in_end(in, reread_stored, raw);
    if (ok && in->local) {
        *err = in->why;
        ok = false;
    }
    return ok;
}

/* Counts the attempts that ended with the runtime, with the document: the job's row stays as it is,
 * or its lease would be given back. */
static bool count_attempt(struct gateway *g, const struct document *d, long n, struct err *err)
{
    struct store_batch *b = store_batch_new();
    char text[24];
    bool ok = b != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    (void)snprintf(text, sizeof(text), "%ld", n);
    if (ok) {
        store_set_prop(b, d->id, AS2_ATTEMPTS, text);
        ok = store_commit(g->store, b, err);
    }
    store_batch_free(b);
    return ok;
}

static bool open_stored(struct as2_in *in, struct payload_reader **raw, struct err *err)
{
    long attempts = atol(as2_prop(&in->d, AS2_ATTEMPTS));

    if (!as2_in_restore_head(in, err))
        return false;
    if (attempts >= CRASHES_MAX) { /* parked: somebody must look at it */
        as2_in_begin(in, NID_undef);
        in->stopped = true;
        in->fault = AS2_UNEXPECTED;
        (void)FAIL(&in->why, FAIL_TRUST, AS2_UNEXPECTED,
                   "the runtime ended %d times while this message was opened: it is parked",
                   CRASHES_MAX);
        return true;
    }
    return count_attempt(in->g, &in->d, attempts + 1, err) &&
           payload_open(in->g->store, in->d.id, 'r', &in->d.raw, raw, err) &&
           run(in, *raw, err);
}

void as2_open_run(struct gateway *g, const struct snapshot *sn, const struct job *j,
                  struct document *d, const struct listener *l)
{
    struct as2_in *in = calloc(1, sizeof(*in));
    struct payload_reader *raw = NULL;
    struct store_batch *b = store_batch_new();
    struct span mdn;
    struct err err = { 0 }, why = { 0 };
    bool ok = in != NULL && b != NULL, committed = false;

    if (!ok) {
        job_later(g, j, "out of memory");
        goto out;
    }
    in->g = g;
    in->sn = sn;
    in->l = l;
    in->d = *d; /* its texts are the caller's */
    as2_request_of(d, &in->arena, &in->request);
    as2_receipt_plan_make(&in->request, as2_receipt_policy(&l->process->as2), &in->plan);
    ok = open_stored(in, &raw, &err) && as2_in_last(in, true, &err) &&
         as2_in_plan(in, b, true, net_wall_ms(), &mdn, &err);
    if (ok) {
        store_end_job(b, j->id);
        ok = committed = store_commit(g->store, b, &err);
    }
    if (committed)
        as2_in_told(in);
    else if (err.kind == FAIL_AGAIN)
        job_later(g, j,
                  err.text); /* opened or refused before, or another was faster: look again */
    else if (count_attempt(g, d, atol(as2_prop(d, AS2_ATTEMPTS)), &why)) /* no crash */
        opening_failed(g, j, d, l, err.text);
    else {
        log_event(LOG_WARN, "as2.open.count", "document", log_num(d->id), "reason", why.text,
                  NULL);
        store_hold_job(g->store, j->id, net_wall_ms() + HOLD_MS);
    }
out:
    payload_reader_free(raw);
    store_batch_free(b);
    if (in != NULL)
        as2_in_free(in, committed);
    free(in);
}
