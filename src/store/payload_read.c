/* Reading payloads. */
#include "store/sqlite_int.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>

struct payload_reader {
    int fd; /* -1: in the row */
    uint64_t size;
    uint64_t from, next; /* read one after the other: those octets, not let go of yet */
    struct arena arena;
    struct span row;
    char path[PAYLOAD_PATH];
};

bool payload_open(struct store *s, int64_t document_id, char role,
                  const struct payload_ref *ref, struct payload_reader **out, struct err *err)
{
    struct payload_reader *r;

    if (ref->kind == PAYLOAD_NONE)
        return FAIL(err, FAIL_LOCAL, 0, "document %lld has no %s payload",
                    (long long)document_id,
                    role == 'r'   ? "raw"
                    : role == 'o' ? "opened"
                                  : "index");
    r = calloc(1, sizeof(*r));
    if (r == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    r->fd = -1;
    r->size = ref->size;
    if (ref->kind == PAYLOAD_HERE) {
        r->row = span_of(ref->path, (size_t)ref->size);
    } else if (ref->kind == PAYLOAD_ROW) {
        if (!store_get_octets(s, document_id, role, &r->arena, &r->row, err))
            goto out;
        r->size = r->row.n;
    } else {
        (void)text_copy(r->path, sizeof(r->path), ref->path);
        do {
            r->fd = store_fs->open(s->payload_fd, r->path, O_RDONLY | O_CLOEXEC, 0);
        } while (r->fd < 0 && errno == EINTR);
        if (r->fd < 0) {
            FAIL(err, FAIL_LOCAL, 0, "open the payload '%s': %m", r->path);
            goto out;
        }
    }
    *out = r;
    return true;
out:
    payload_reader_free(r);
    return false;
}

/* Lets go of the pages behind a long read from front to back. */
static void behind(struct payload_reader *r, uint64_t at, size_t n)
{
    if (at != r->next)
        r->from = at;
    r->next = at + n;
    if (r->size <= PAYLOAD_CACHED || r->next - r->from < PAYLOAD_STRIDE)
        return;
    (void)posix_fadvise(r->fd, (off_t)r->from, (off_t)(r->next - r->from), POSIX_FADV_DONTNEED);
    r->from = r->next;
}

bool payload_read(struct payload_reader *r, uint64_t at, struct room room, size_t *n,
                  struct err *err)
{
    uint64_t left = at < r->size ? r->size - at : 0;
    ssize_t got;

    if (room.n > left)
        room.n = (size_t)left;
    if (r->fd < 0 || room.n == 0) {
        if (room.n > 0)
            memcpy(room.p, r->row.p + at, room.n);
        *n = room.n;
        return true;
    }
    do {
        got = store_fs->pread(r->fd, room.p, room.n, (off_t)at);
    } while (got < 0 && errno == EINTR);
    if (got < 0)
        return FAIL(err, FAIL_LOCAL, 0, "read the payload '%s': %m", r->path);
    if (got == 0)
        return FAIL(err, FAIL_LOCAL, 0, "the payload '%s' ends at %llu of %llu octets", r->path,
                    (unsigned long long)at, (unsigned long long)r->size);
    behind(r, at, (size_t)got);
    *n = (size_t)got;
    return true;
}

int payload_fd(const struct payload_reader *r)
{
    return r->fd;
}

struct span payload_row(const struct payload_reader *r)
{
    return r->row;
}

void payload_reader_free(struct payload_reader *r)
{
    if (r == NULL)
        return;
    if (r->fd >= 0)
        (void)store_fs->close(r->fd);
    arena_free(&r->arena);
    free(r);
}

/* ---- record indexes --------------------------------------------------------------------- */

static bool row_size(struct store *s, int64_t id, uint64_t *size, bool *found, struct err *err)
{
    struct conn *c = reader_take(s, err);
    struct call q;
    bool ok;

    if (c == NULL)
        return false;
    q = call_of(c, Q_HAS_OCTETS);
    call_int(&q, octets_key(id, 'x'));
    *found = call_row(&q);
    if (*found)
        *size = col_size(&q, 0);
    ok = call_end(&q, "look for a record index", err);
    reader_give(s, c);
    return ok;
}

bool payload_index_ref(struct store *s, int64_t document_id, struct payload_ref *ref,
                       bool *found, struct err *err)
{
    /* Borrowed by the caller until the same thread asks again. */
    static _Thread_local char path[PAYLOAD_PATH];
    struct stat st;
    uint64_t size = 0;
    bool in_row;

    if (!row_size(s, document_id, &size, &in_row, err))
        return false;
    if (in_row) {
        *ref = (struct payload_ref) { PAYLOAD_ROW, size, NULL };
        *found = true;
        return true;
    }
    payload_path(document_id, 'x', path);
    if (fstatat(s->payload_fd, path, &st, 0) == 0) {
        *ref = (struct payload_ref) { PAYLOAD_FILE, (uint64_t)st.st_size, path };
        *found = true;
        return true;
    }
    if (errno != ENOENT)
        return FAIL(err, FAIL_LOCAL, 0, "look for '%s': %m", path);
    *found = false;
    return true;
}
