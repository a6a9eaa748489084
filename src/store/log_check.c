/* What SQLite would pass over in silence: a log (waybill.db-wal) that was cut, damaged or taken away
 * ends for it where the first frame does not fit, as after a crash, and what was committed behind
 * that is gone. Two things tell the one from the other:
 *   - the log's index (waybill.db-shm) outlives a crash of the process. It names a frame only after
 *     the log was synced up to it;
 *   - a frame behind a commit is written only after that commit was synced. So a damaged frame
 *     with a commit behind it, and more behind that, is no torn end.
 * https://www.sqlite.org/walformat.html has the layout of both files. */
#include "store/sqlite_int.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOG_HEAD = 32,
    FRAME_HEAD = 24,
    INDEX_HEAD = 48, /* twice, then how far the log is in the file */
    INDEX_VERSION = 3007000,
    TRIES = 5, /* another program may be writing */
    PAUSE_US = 20000,
};

static uint32_t big(const uint8_t *p)
{
    return (uint32_t)p[0] << 24 | (uint32_t)p[1] << 16 | (uint32_t)p[2] << 8 | p[3];
}

static uint32_t native(const uint8_t *p)
{
    uint32_t v;

    memcpy(&v, p, sizeof(v));
    return v;
}

/* ---- the log's index --------------------------------------------------------------------- */

struct log_index {
    bool known;
    uint32_t last, filed; /* frames: committed, and of these in the file already */
    uint8_t salt[8];
};

static void read_index(const struct store *s, struct log_index *ix)
{
    uint8_t p[2 * INDEX_HEAD + 4];
    int fd = open_file_at(s->dir_fd, "waybill.db-shm", O_RDONLY | O_CLOEXEC, 0);

    *ix = (struct log_index) { 0 };
    if (fd < 0)
        return;
    if (pread(fd, p, sizeof(p), 0) == (ssize_t)sizeof(p) &&
        memcmp(p, p + INDEX_HEAD, INDEX_HEAD) == 0 && native(p) == INDEX_VERSION &&
        p[12] != 0) {
        ix->known = true;
        ix->last = native(p + 16);
        memcpy(ix->salt, p + 32, sizeof(ix->salt));
        ix->filed = native(p + 2 * INDEX_HEAD);
    }
    close(fd);
}

/* ---- the log ----------------------------------------------------------------------------- */

struct log {
    uint32_t good; /* frames up to the last commit that is whole */
    bool more;     /* commits behind a damaged frame             */
    uint8_t salt[8];
    off_t good_end; /* octets up to there */
};

struct sum {
    uint32_t a, b;
    bool big; /* how the log's words are read */
};

static void add(struct sum *s, const uint8_t *p, size_t n)
{
    for (size_t i = 0; i < n; i += 8) {
        s->a += (s->big ? big(p + i) : native(p + i)) + s->b;
        s->b += (s->big ? big(p + i + 4) : native(p + i + 4)) + s->a;
    }
}

static bool host_is_big(void)
{
    const uint16_t one = 1;

    return *(const uint8_t *)&one == 0;
}

/* Whether behind the damaged frame at `at` there is a commit, and another page behind it. */
static bool more_behind(int fd, const struct log *l, off_t at, size_t frame)
{
    uint8_t h[FRAME_HEAD];
    uint32_t committed = 0; /* the page of the first commit */

    for (; pread(fd, h, sizeof(h), at) == (ssize_t)sizeof(h); at += (off_t)frame) {
        if (memcmp(h + 8, l->salt, sizeof(l->salt)) != 0)
            continue;
        if (committed != 0 && big(h) != committed)
            return true;
        if (committed == 0 && big(h + 4) != 0)
            committed = big(h);
    }
    return false;
}

static void read_frames(int fd, const uint8_t head[LOG_HEAD], uint8_t *p, size_t page,
                        struct log *l)
{
    size_t frame = FRAME_HEAD + page;
    struct sum s = { .big = ((big(head) & 1) != 0) };
    off_t at = LOG_HEAD;
    uint32_t n = 0;

    /* 0x377f0683: words as a big-endian machine reads them; ...82: as a little-endian one. */
    if (!s.big && host_is_big())
        return; /* a log of another machine: left to SQLite */
    add(&s, head, 24);
    if (s.a != big(head + 24) || s.b != big(head + 28))
        return;
    memcpy(l->salt, head + 16, sizeof(l->salt));
    l->good_end = LOG_HEAD;
    for (; pread(fd, p, frame, at) == (ssize_t)frame; at += (off_t)frame) {
        add(&s, p, 8);
        add(&s, p + FRAME_HEAD, page);
        if (memcmp(p + 8, l->salt, sizeof(l->salt)) != 0 || s.a != big(p + 16) ||
            s.b != big(p + 20)) {
            l->more = more_behind(fd, l, at, frame);
            return;
        }
        n++;
        if (big(p + 4) != 0) {
            l->good = n;
            l->good_end = at + (off_t)frame;
        }
    }
}

static bool read_log(const struct store *s, struct log *l, struct err *err)
{
    uint8_t head[LOG_HEAD], *p = NULL;
    int fd = open_file_at(s->dir_fd, "waybill.db-wal", O_RDONLY | O_CLOEXEC, 0);
    uint32_t page;
    bool ok = true;

    *l = (struct log) { 0 };
    if (fd < 0)
        return errno == ENOENT || FAIL(err, FAIL_LOCAL, 0, "open 'waybill.db-wal': %m");
    if (pread(fd, head, sizeof(head), 0) == (ssize_t)sizeof(head) &&
        (big(head) & 0xFFFFFFFE) == 0x377F0682) {
        page = big(head + 8);
        if (page >= 512 && page <= 65536 && (page & (page - 1)) == 0) {
            p = malloc(FRAME_HEAD + (size_t)page);
            ok = p != NULL || FAIL(err, FAIL_LOCAL, 0, "memory is out");
            if (ok)
                read_frames(fd, head, p, page, l);
        }
    }
    free(p);
    close(fd);
    return ok;
}

/* ---- both -------------------------------------------------------------------------------- */

static bool whole(const struct log_index *ix, const struct log *l)
{
    if (l->more)
        return false;
    if (!ix->known || ix->last <= ix->filed)
        return true;
    return memcmp(ix->salt, l->salt, sizeof(ix->salt)) == 0 && l->good >= ix->last;
}

static bool is_empty_folder(int fd)
{
    int copy = open_file_at(fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *d = copy < 0 ? NULL : fdopendir(copy);
    struct dirent *e;
    bool empty = d != NULL;

    while (empty && (e = readdir(d)) != NULL)
        empty = e->d_name[0] == '.';
    if (d != NULL)
        closedir(d);
    else if (copy >= 0)
        close(copy);
    return empty;
}

/* A new one must not be made where there was one: payloads without documents are removed. */
static bool check_file(const struct store *s, struct err *err)
{
    struct stat st;
    bool log = fstatat(s->dir_fd, "waybill.db-wal", &st, 0) == 0 && st.st_size > 0;

    if (fstatat(s->dir_fd, "waybill.db", &st, 0) == 0 && st.st_size > 0)
        return true;
    if (!log && is_empty_folder(s->payload_fd))
        return true;
    return FAIL(
        err, FAIL_LOCAL, 0,
        "waybill.db is missing or empty, but there %s: put it back or restore a backup; to "
        "begin with an empty store, move the data directory away",
        log ? "is a log of it (waybill.db-wal)" : "are payloads of its documents");
}

bool store_check_log(const struct store *s, struct err *err)
{
    struct log_index ix;
    struct log l;

    if (!check_file(s, err))
        return false;
    for (int i = 0; i < TRIES; i++) {
        read_index(s, &ix);
        if (!read_log(s, &l, err))
            return false;
        if (whole(&ix, &l))
            return true;
        (void)usleep(PAUSE_US);
    }
    return FAIL(
        err, FAIL_LOCAL, 0,
        "the store's log (waybill.db-wal) was cut or damaged: of its pages %u are left, "
        "and documents that were acknowledged are missing: restore a backup; to go on "
        "without them: `truncate -s %lld waybill.db-wal; rm -f waybill.db-shm`",
        l.good, (long long)l.good_end);
}
