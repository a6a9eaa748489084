/* From custody to the process: what an opened document sets going, the opening of record files,
 * and the archive. */
#include "gateway/delivery.h"

#include "gateway/records.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

void delivery_plan(struct gateway *g, struct store_batch *b, const struct listener *l,
                   const struct document *d, int64_t now_ms)
{
    const struct config_process *p = l->process;
    struct job j = { .id = store_next_id(g->store),
                     .kind = JOB_PROCESS,
                     .document_id = d->id,
                     .not_before_ms = now_ms };
    struct arena a = { 0 };
    struct err err = { 0 };

    store_add_event(b, d->id, now_ms, "opened", l->name);
    for (size_t i = 0; i < p->tracking_n; i++) {
        char *value = NULL;

        if (template_expand(p->tracking[i].value, d, NULL, &a, &value, &err))
            store_add_tracked(b, d->id, p->tracking[i].field, value);
        else
            store_add_event(b, d->id, now_ms, "not tracked", err.text);
    }
    store_put_job(b, &j);
    if (p->acknowledge == ACK_RECEIVED)
        receipt_plan(g, b, d, 0, NULL, now_ms);
    arena_free(&a);
}

/* ---- opening record files ---------------------------------------------------------------- */

static bool copy_record(struct payload_reader *r, uint64_t *at, uint32_t length,
                        struct payload_writer *w, struct err *err)
{
    uint8_t buffer[16 * 1024];

    while (length > 0) {
        size_t got = 0, want = length < sizeof(buffer) ? length : sizeof(buffer);

        if (!payload_read(r, *at, (struct room) { buffer, want }, &got, err))
            return false;
        if (got == 0)
            return FAIL(err, FAIL_LOCAL, 0, "the payload is shorter than its records");
        if (!payload_write(w, span_of(buffer, got), err))
            return false;
        *at += got;
        length -= (uint32_t)got;
    }
    return true;
}

struct opening {
    struct payload_reader *raw, *index;
    struct records_in lengths;
    struct payload_writer *out;
};

static bool open_records(struct gateway *g, const struct document *d, const struct oftp_sfid *f,
                         const char *delimiter, struct opening *o, struct err *err)
{
    struct span mark = records_delimiter(delimiter, f->fmt == 'V' ? "lf" : "none");
    struct payload_ref index;
    bool found = false, more = true;
    uint64_t at = 0;

    if (!payload_open(g->store, d->id, 'r', &d->raw, &o->raw, err) ||
        !payload_create(g->store, d->id, 'o', &o->out, err))
        return false;
    if (f->fmt == 'V') {
        if (!payload_index_ref(g->store, d->id, &index, &found, err))
            return false;
        if (found && !payload_open(g->store, d->id, 'x', &index, &o->index, err))
            return false;
        o->lengths.reader = o->index;
    }
    while (more) {
        uint32_t length = f->lrecl;

        if (f->fmt == 'F')
            more = at < d->raw.size;
        else if (o->index == NULL)
            more = false;
        else if (!records_next(&o->lengths, &length, &more, err))
            return false;
        if (more && (!copy_record(o->raw, &at, length, o->out, err) ||
                     !payload_write(o->out, mark, err)))
            return false;
    }
    return true;
}

static bool open_document(struct gateway *g, const struct job *j, struct document *d,
                          const struct listener *l, struct arena *a, struct err *err)
{
    struct opening o = { 0 };
    struct store_batch *b = store_batch_new();
    struct oftp_sfid f;
    struct payload_ref ref = { 0 };
    int64_t now = net_wall_ms();
    bool ok = b != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    sfid_from_props(&f, &d->props);
    ok = ok && open_records(g, d, &f, l->process->record_delimiter, &o, err) &&
         payload_finish(o.out, b, &ref, err);
    if (ok) {
        d->opened = ref;
        props_set(&d->props, a, "waybill.opened", "records");
        d->size = ref.size;
        d->state = DOC_OPENED;
        d->changed_ms = now;
        store_put_document(b, d);
        store_end_job(b, j->id);
        delivery_plan(g, b, l, d, now);
        ok = store_commit(g->store, b, err);
    }
    payload_reader_free(o.raw);
    payload_reader_free(o.index);
    payload_writer_free(o.out);
    store_batch_free(b);
    return ok;
}

void open_run(struct gateway *g, const struct job *j)
{
    struct snapshot *sn = gateway_snapshot(g);
    struct arena a = { 0 };
    struct document d = { 0 };
    struct err err = { 0 };
    const struct listener *l = NULL;
    bool found = false;

    if (!store_get_document(g->store, j->document_id, &a, &d, &found, &err))
        job_later(g, j, err.text);
    else if (!found || d.state != DOC_RECEIVED)
        job_done(g, j);
    else if ((l = snapshot_listener(sn, d.listener == NULL ? "" : d.listener)) == NULL)
        document_failed(g, j, &d, NULL,
                        "the process that took this document is no longer deployed: deploy it "
                        "again, then `waybill retry`");
    else if (!open_document(g, j, &d, l, &a, &err))
        document_failed(g, j, &d, l, err.text);
    arena_free(&a);
    snapshot_put(sn);
}

/* ---- jobs and failures ------------------------------------------------------------------- */

static void commit_or_log(struct gateway *g, struct store_batch *b, const struct job *j,
                          const char *what)
{
    struct err err = { 0 };

    if (!store_commit(g->store, b, &err)) {
        log_event(LOG_ERROR, "store.commit", "what", what, "document", log_num(j->document_id),
                  "reason", err.text, NULL);
        store_release_job(g->store, j->id);
    }
    store_batch_free(b);
}

void job_done(struct gateway *g, const struct job *j)
{
    struct store_batch *b = store_batch_new();

    if (b == NULL)
        return;
    store_end_job(b, j->id);
    commit_or_log(g, b, j, "the end of a job");
}

void job_later(struct gateway *g, const struct job *j, const char *why)
{
    struct store_batch *b = store_batch_new();
    struct job again = *j;

    if (b == NULL)
        return;
    again.attempts++;
    again.last_error = why;
    again.not_before_ms = net_wall_ms() + 5000;
    store_put_job(b, &again);
    commit_or_log(g, b, j, "a job for later");
}

void document_failed(struct gateway *g, const struct job *j, const struct document *d,
                     const struct listener *l, const char *reason)
{
    struct store_batch *b = store_batch_new();
    int64_t now = net_wall_ms();

    log_event(LOG_ERROR, "document.failed", "document", log_num(d->id), "listener", d->listener,
              "name", d->name, "reason", reason, NULL);
    atomic_fetch_add(&g->n.failed, 1);
    if (d->listener != NULL)
        gateway_count_document(g, d->listener, true);
    if (b == NULL)
        return;
    store_set_state(b, d->id,
                    DOC_BIT(DOC_RECEIVED) | DOC_BIT(DOC_OPENED) | DOC_BIT(DOC_PROCESSING),
                    DOC_FAILED, now, "failed", reason, reason);
    store_end_job(b, j->id);
    if (l != NULL && l->process->acknowledge == ACK_PROCESSED &&
        props_get(&d->props, "waybill.answered") == NULL) {
        receipt_plan(g, b, d, NERP_PROCESSING, "the document could not be processed", now);
        store_set_prop(b, d->id, "waybill.answered", "NERP");
    }
    commit_or_log(g, b, j, "a failed document");
}

/* Where nothing had to be opened both forms are the same octets, kept once. */
char document_opened_role(const struct document *d)
{
    bool same = d->opened.kind == d->raw.kind && d->opened.size == d->raw.size &&
                (d->raw.kind != PAYLOAD_FILE || strcmp(d->raw.path, d->opened.path) == 0);

    return same && props_get(&d->props, "waybill.opened") == NULL ? 'r' : 'o';
}

/* ---- archive ----------------------------------------------------------------------------- */

/* "20261121T101500.123Z-0001-orders-from-acme_000000042": design.md section 7. */
static void archive_name(const struct document *d, const char *suffix, char *name, size_t cap)
{
    char t[25];

    net_time_text(d->created_ms, t);
    (void)snprintf(name, cap, "%.4s%.2s%.2sT%.2s%.2s%.2s.%.3sZ-0001-%s_%09lld%s", t, t + 5,
                   t + 8, t + 11, t + 14, t + 17, t + 20, d->listener, (long long)d->id,
                   suffix);
}

bool deliver_file(struct gateway *g, const struct document *d, char role, const char *directory,
                  const char *name, bool replace, bool *exists, struct err *err)
{
    const struct payload_ref *ref = role == 'r' ? &d->raw : &d->opened;
    char source = role == 'o' ? document_opened_role(d) : role;
    struct payload_reader *r = NULL;
    uint8_t *buffer = malloc(READ_SIZE);
    char tmp[128];
    uint64_t at = 0;
    size_t got = 0;
    int dir = -1, fd = -1;
    bool ok = false;

    *exists = false;
    /* Other runtimes may write into the same directory. */
    (void)snprintf(tmp, sizeof(tmp), ".%s-%lld.tmp", g->rt->runtime.name, (long long)d->id);
    if (buffer == NULL) {
        FAIL(err, FAIL_LOCAL, 0, "out of memory");
        goto out;
    }
    dir = open(directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (dir < 0) {
        FAIL(err, FAIL_LOCAL, 0, "cannot open directory '%s': %m", directory);
        goto out;
    }
    if (!payload_open(g->store, d->id, source, ref, &r, err))
        goto out;
    fd = openat(dir, tmp, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC | O_NOFOLLOW, 0640);
    if (fd < 0) {
        FAIL(err, FAIL_LOCAL, 0, "cannot write into '%s': %m", directory);
        goto out;
    }
    do {
        size_t put = 0;

        if (!payload_read(r, at, (struct room) { buffer, READ_SIZE }, &got, err))
            goto out;
        while (put < got) {
            ssize_t n = write(fd, buffer + put, got - put);

            if (n < 0 && errno == EINTR)
                continue;
            if (n < 0) {
                FAIL(err, FAIL_LOCAL, 0, "cannot write '%s/%s': %m", directory, name);
                goto out;
            }
            put += (size_t)n;
        }
        at += got;
    } while (got > 0);
    if (fsync(fd) != 0) {
        FAIL(err, FAIL_LOCAL, 0, "cannot sync '%s/%s': %m", directory, name);
        goto out;
    }
    if (replace ? renameat(dir, tmp, dir, name) != 0 : linkat(dir, tmp, dir, name, 0) != 0) {
        *exists = errno == EEXIST;
        FAIL(err, FAIL_LOCAL, 0, "cannot name '%s/%s': %m", directory, name);
        goto out;
    }
    if (!replace)
        (void)unlinkat(dir, tmp, 0);
    if (fsync(dir) != 0) {
        FAIL(err, FAIL_LOCAL, 0, "cannot sync directory '%s': %m", directory);
        goto out;
    }
    ok = true;
out:
    if (!ok && fd >= 0)
        (void)unlinkat(dir, tmp, 0);
    if (fd >= 0)
        (void)close(fd);
    if (dir >= 0)
        (void)close(dir);
    payload_reader_free(r);
    free(buffer);
    return ok;
}

bool archive_document(struct gateway *g, const struct document *d, const struct listener *l,
                      struct err *err)
{
    const char *directory = l->process->archiving.directory;
    char name[256];
    bool exists;

    if (mkdir(directory, 0750) != 0 && errno != EEXIST)
        return FAIL(err, FAIL_LOCAL, 0, "archiving.directory '%s': %m", directory);
    archive_name(d, ".dat", name, sizeof(name));
    if (!deliver_file(g, d, 'o', directory, name, true, &exists, err))
        return false;
    if (!l->process->archiving.raw)
        return true;
    archive_name(d, ".raw", name, sizeof(name));
    return deliver_file(g, d, 'r', directory, name, true, &exists, err);
}
