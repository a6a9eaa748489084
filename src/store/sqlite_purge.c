/* Retention: what is old and settled is looked for and removed. The look and the removal are apart,
 * so each removal asks again whether all is as it was seen. Files are the caller's to remove, after
 * the commit: a crash in between leaves files without documents, which start-up sweeps away, and
 * never a document without its octets. */
#include "store/sqlite_int.h"

static void bind_purgeable(struct call *q, const struct change *ch)
{
    call_int(q, ch->id);
    call_int(q, ch->u.purge.state);
    call_int(q, ch->u.purge.changed_ms);
    call_int(q, ch->u.purge.raw);
    call_int(q, ch->u.purge.opened);
    call_int(q, ch->u.purge.answered);
}

static bool drop_octets(struct conn *c, int64_t id, struct err *err)
{
    struct call q = call_of(c, Q_PURGE_OCTETS);

    call_int(&q, octets_key(id, 'r'));
    call_int(&q, octets_key(id + 1, 'r'));
    return call_run(&q, "remove the octets of a document", err);
}

bool sqlite_purge_octets(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_PURGE_PAYLOAD);

    *ch->u.purge.done = 0;
    bind_purgeable(&q, ch);
    if (!call_run(&q, "forget the octets of a document", err))
        return false;
    if (sqlite3_changes(c->db) == 0)
        return true;
    q = call_of(c, Q_ADD_EVENT);
    call_int(&q, ch->id);
    call_int(&q, ch->at_ms);
    call_text(&q, "octets removed");
    call_text(&q, "retention: their time is over");
    if (!call_run(&q, "write an event", err) || !drop_octets(c, ch->id, err))
        return false;
    *ch->u.purge.done = 1;
    return true;
}

/* Events, tracked fields and executions go with the row: ON DELETE CASCADE. */
bool sqlite_purge_document(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q = call_of(c, Q_PURGE_DOCUMENT);

    *ch->u.purge.done = 0;
    bind_purgeable(&q, ch);
    call_int(&q, ch->at_ms);
    if (!call_run(&q, "remove a document", err))
        return false;
    if (sqlite3_changes(c->db) == 0)
        return true;
    q = call_of(c, Q_PURGE_RECEIPTS_OF);
    call_int(&q, ch->id);
    if (!call_run(&q, "remove the receipts of a document", err) || !drop_octets(c, ch->id, err))
        return false;
    *ch->u.purge.done = 1;
    return true;
}

bool sqlite_purge_old(struct conn *c, const struct change *ch, struct err *err)
{
    struct call q =
        call_of(c, ch->kind == CHANGE_PURGE_AUDIT ? Q_PURGE_AUDIT : Q_PURGE_RECEIPTS);

    *ch->u.purge.done = 0;
    call_int(&q, ch->at_ms);
    call_int(&q, ch->u.purge.most);
    if (!call_run(&q, "remove old lines", err))
        return false;
    *ch->u.purge.done = (uint64_t)sqlite3_changes(c->db);
    return true;
}

bool store_find_next(struct store *s, enum document_state state, int64_t after_id,
                     uint32_t limit, struct arena *a, struct document **list, size_t *n,
                     struct err *err)
{
    struct list l = { .a = a, .item = sizeof(**list) };
    struct conn *c = reader_take(s, err);
    struct document *d;
    struct call q;
    bool ok = true;

    if (c == NULL)
        return false;
    q = call_of(c, state == 0 ? Q_NEXT_WITH_OCTETS : Q_NEXT_IN_STATE);
    call_int(&q, after_id);
    call_int(&q, limit);
    if (state != 0)
        call_int(&q, state);
    while (ok && call_row(&q) && (d = list_add(&l)) != NULL)
        ok = read_document(&q, a, d, err);
    if (!call_end(&q, "look for old documents", err))
        ok = false;
    reader_give(s, c);
    if (!ok)
        return false;
    if (a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    *list = l.items;
    *n = l.n;
    return true;
}
