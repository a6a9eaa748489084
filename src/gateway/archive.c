/* The archive of an operation: the opened document; with `raw: true` the wire form and our
 * receipts beside it. design.md section 7. */
#include "gateway/delivery.h"

#include <errno.h>
#include <stdio.h>
#include <sys/stat.h>

/* "20261121T101500.123Z-0001-orders-from-acme_000000042.dat": date and time, document index,
 * operation, a unique number. */
static void archive_name(const struct document *d, const char *suffix, char *name, size_t cap)
{
    char t[25];

    net_time_text(d->created_ms, t);
    (void)snprintf(name, cap, "%.4s%.2s%.2sT%.2s%.2s%.2s.%.3sZ-0001-%s_%09lld%s", t, t + 5,
                   t + 8, t + 11, t + 14, t + 17, t + 20, d->listener, (long long)d->id,
                   suffix);
}

bool archive_receipts(struct gateway *g, const struct document *d, const struct listener *l,
                      struct err *err)
{
    struct arena a = { 0 };
    struct receipt *list = NULL;
    char name[256];
    size_t n = 0;
    bool ok;

    if (!l->process->archiving.enabled || !l->process->archiving.raw)
        return true;
    ok = store_receipts(g->store, d->id, NULL, &a, &list, &n, err);
    for (size_t i = 0; ok && i < n; i++) {
        archive_name(d,
                     strcmp(list[i].kind, "NERP") == 0  ? ".nerp"
                     : strcmp(list[i].kind, "MDN") == 0 ? ".mdn"
                                                        : ".eerp",
                     name, sizeof(name));
        ok = deliver_receipt(g, d->id, list[i].octets, l->process->archiving.directory, name,
                             err);
    }
    arena_free(&a);
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
    return deliver_file(g, d, 'r', directory, name, true, &exists, err) &&
           archive_receipts(g, d, l, err);
}

void archive_answer(struct gateway *g, const struct document *d, const struct listener *l)
{
    struct err err = { 0 };

    if (document_acknowledge(d, l) != ACK_RECEIVED && !archive_receipts(g, d, l, &err))
        log_event(LOG_ERROR, "archive.receipt", "document", log_num(d->id), "reason", err.text,
                  "look_at", "start.operation.archiving.directory", NULL);
}
