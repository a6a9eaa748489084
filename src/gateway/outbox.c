/* The thread that watches the folders: told by inotify where that works, and looking now and then
 * where it does not. See outbox.h. */
#include "gateway/outbox.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    LOOK_MS = 1000,  /* how soon a new snapshot is noticed         */
    AGAIN_MS = 5000, /* how long what failed for now is left alone */
    BUCKETS = 256,
    GATHER_MS = 10, /* events that come together are one      */
    EVENTS = IN_MOVED_TO | IN_CLOSE_WRITE | IN_CREATE,
};

/* A file that is not taken yet. */
struct seen {
    struct seen *next;
    char *name;
    int64_t size, changed_s, changed_ns;
    uint64_t inode, since_ms;
    bool renamed; /* into the folder: it is whole */
    bool still_there;
};

struct folder {
    struct folder *next;
    char *partner, *directory;
    size_t number;             /* of the partner's outboxes */
    int watch;                 /* -1: not watched */
    uint64_t look_ms, work_ms; /* when to look at it, and at what waits in its work folder */
    struct seen *seen[BUCKETS];
    bool told;   /* that it cannot be opened */
    bool wanted; /* it is in the snapshot */
};

struct outboxes {
    struct gateway *g;
    pthread_t thread;
    bool running;
    int wake, inotify; /* inotify -1: the system has none left */
    struct folder *folders;
};

/* A name that is ready, and when it was changed. */
struct ready {
    char *name;
    int64_t s, ns;
};
struct ready_list {
    struct ready *list;
    size_t n, cap;
};

/* ---- files that were seen ---------------------------------------------------------------- */

static struct seen **bucket_of(struct folder *f, const char *name)
{
    unsigned h = 5381;

    for (const char *p = name; *p != '\0'; p++)
        h = h * 33 + (unsigned char)*p;
    return &f->seen[h % BUCKETS];
}

static struct seen *seen_of(struct folder *f, const char *name)
{
    struct seen **b = bucket_of(f, name), *s = *b;

    while (s != NULL && strcmp(s->name, name) != 0)
        s = s->next;
    if (s != NULL || (s = calloc(1, sizeof(*s))) == NULL)
        return s;
    s->name = strdup(name);
    s->next = *b;
    if (s->name == NULL) {
        free(s);
        return NULL;
    }
    return *b = s;
}

/* Forgets those that are gone; all: every one. */
static void forget(struct folder *f, bool all)
{
    for (size_t i = 0; i < BUCKETS; i++)
        for (struct seen **at = &f->seen[i]; *at != NULL;) {
            struct seen *s = *at;

            if (s->still_there && !all) {
                s->still_there = false;
                at = &s->next;
                continue;
            }
            *at = s->next;
            free(s->name);
            free(s);
        }
}

/* Whether the file is whole; if not, *in_ms says when to ask again. */
static bool settled(struct folder *f, const struct config_outbox *o, const char *name,
                    const struct stat *st, uint64_t now, uint64_t *in_ms)
{
    struct seen *s = seen_of(f, name);
    bool same;

    if (s == NULL)
        return false;
    s->still_there = true;
    same = s->since_ms != 0 && s->size == st->st_size && s->inode == st->st_ino &&
           s->changed_s == st->st_mtim.tv_sec && s->changed_ns == st->st_mtim.tv_nsec;
    if (!same) {
        s->size = st->st_size;
        s->inode = st->st_ino;
        s->changed_s = st->st_mtim.tv_sec;
        s->changed_ns = st->st_mtim.tv_nsec;
        s->since_ms = now;
    }
    if (s->renamed || now - s->since_ms >= o->settle_ms)
        return true;
    if (s->since_ms + o->settle_ms - now < *in_ms)
        *in_ms = s->since_ms + o->settle_ms - now;
    return false;
}

/* ---- looking ----------------------------------------------------------------------------- */

static bool add_ready(struct ready_list *l, const char *name, const struct stat *st)
{
    if (l->n == l->cap) {
        size_t cap = l->cap == 0 ? 64 : l->cap * 2;
        struct ready *grown = realloc(l->list, cap * sizeof(*grown));

        if (grown == NULL)
            return false;
        l->list = grown;
        l->cap = cap;
    }
    l->list[l->n] = (struct ready) { strdup(name), st->st_mtim.tv_sec, st->st_mtim.tv_nsec };
    if (l->list[l->n].name == NULL)
        return false;
    l->n++;
    return true;
}

static void free_ready(struct ready_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->list[i].name);
    free(l->list);
}

static int by_age(const void *a, const void *b)
{
    const struct ready *x = a, *y = b;

    if (x->s != y->s)
        return x->s < y->s ? -1 : 1;
    if (x->ns != y->ns)
        return x->ns < y->ns ? -1 : 1;
    return strcmp(x->name, y->name);
}

static int by_number(const void *a, const void *b)
{
    const struct ready *x = a, *y = b;
    long long n = atoll(x->name), m = atoll(y->name);

    return n < m ? -1 : n > m;
}

static DIR *open_list(int dir)
{
    int fd = open_again(dir, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    DIR *d = fd < 0 ? NULL : fdopendir(fd);

    if (d == NULL && fd >= 0)
        (void)close(fd);
    return d;
}

/* The files that are whole, oldest first. */
static void list_ready(struct folder *f, const struct config_outbox *o, int dir,
                       struct ready_list *l, uint64_t *in_ms)
{
    DIR *d = open_list(dir);
    const struct dirent *e;
    uint64_t now = net_now_ms();
    struct stat st;

    while (d != NULL && (e = readdir(d)) != NULL)
        if (outbox_wanted(o, e->d_name) &&
            fstatat(dir, e->d_name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
            settled(f, o, e->d_name, &st, now, in_ms) && !add_ready(l, e->d_name, &st))
            break;
    if (d != NULL)
        (void)closedir(d);
    forget(f, false);
    if (l->n > 0)
        qsort(l->list, l->n, sizeof(*l->list), by_age);
}

/* Takes what is whole: all of it is durably in the work folder on return. */
static void take_all(struct outboxes *o, struct folder *f, int dir, int work,
                     struct ready_list *l)
{
    struct err err = { 0 };
    size_t taken = 0;
    bool gone;

    for (size_t i = 0; i < l->n && !atomic_load(&o->g->stopping); i++) {
        if (outbox_take(o->g, dir, work, l->list[i].name, &gone, &err))
            taken++;
        else if (!gone)
            log_event(LOG_ERROR, "outbox.stuck", "partner", f->partner, "directory",
                      f->directory, "file", l->list[i].name, "reason", err.text, NULL);
    }
    if (taken == 0)
        return;
    f->work_ms = 0;
    if (fsync(work) != 0 || fsync(dir) != 0) {
        log_event(LOG_ERROR, "outbox.stuck", "partner", f->partner, "directory", f->directory,
                  "reason", "the folder cannot be synced", NULL);
        f->work_ms = net_now_ms() + AGAIN_MS;
    }
}

static void send_all(struct outboxes *o, struct folder *f, const struct config_outbox *box,
                     int dir, int work)
{
    struct ready_list l = { 0 };
    DIR *d = open_list(work);
    const struct dirent *e;
    struct stat st = { 0 };
    bool all = true;

    while (d != NULL && (e = readdir(d)) != NULL) {
        const char *name = outbox_name_of(e->d_name);

        if (name != NULL && outbox_wanted(box, name) && !add_ready(&l, e->d_name, &st))
            break;
    }
    if (d != NULL)
        (void)closedir(d);
    if (l.n > 0)
        qsort(l.list, l.n, sizeof(*l.list), by_number);
    for (size_t i = 0; i < l.n && !atomic_load(&o->g->stopping); i++)
        all = outbox_send(o->g, f->partner, box, dir, work, l.list[i].name) && all;
    f->work_ms = net_now_ms() + (all ? box->scan_ms : AGAIN_MS);
    free_ready(&l);
}

static int open_work(int dir, const char *partner)
{
    char name[NAME_MAX];

    (void)snprintf(name, sizeof(name), ".waybill-%.64s", partner);
    (void)mkdirat(dir, name, 0770);
    return open_again(dir, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW, 0);
}

static void watch(struct outboxes *o, struct folder *f)
{
    if (f->watch < 0 && o->inotify >= 0)
        f->watch = inotify_add_watch(o->inotify, f->directory, EVENTS | IN_ONLYDIR);
}

/* Looks at one folder; the time of the next look is set. */
static void look_at(struct outboxes *o, struct folder *f, const struct config_outbox *box)
{
    int dir = open_again(AT_FDCWD, box->directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC, 0);
    int work = dir < 0 ? -1 : open_work(dir, f->partner);
    uint64_t in_ms = box->scan_ms;
    struct ready_list l = { 0 };

    if (work < 0 && !f->told)
        log_event(LOG_ERROR, "outbox.unusable", "partner", f->partner, "directory",
                  box->directory, "reason", strerror(errno), "look_at",
                  "outbox.directory of the partner: it must be there and writable", NULL);
    f->told = work < 0;
    if (work >= 0) {
        watch(o, f);
        list_ready(f, box, dir, &l, &in_ms);
        take_all(o, f, dir, work, &l);
        if (net_now_ms() >= f->work_ms)
            send_all(o, f, box, dir, work);
        free_ready(&l);
    }
    f->look_ms = net_now_ms() + (in_ms < 1 ? 1 : in_ms);
    if (work < 0)
        f->work_ms = f->look_ms;
    if (work >= 0)
        (void)close(work);
    if (dir >= 0)
        (void)close(dir);
}

/* ---- folders ----------------------------------------------------------------------------- */

static struct folder *folder_of(struct outboxes *o, const char *partner, size_t number,
                                const char *directory)
{
    struct folder *f = o->folders;

    while (f != NULL && (f->number != number || strcmp(f->partner, partner) != 0 ||
                         strcmp(f->directory, directory) != 0))
        f = f->next;
    if (f != NULL || (f = calloc(1, sizeof(*f))) == NULL)
        return f;
    f->partner = strdup(partner);
    f->directory = strdup(directory);
    f->number = number;
    f->watch = -1;
    if (f->partner == NULL || f->directory == NULL) {
        free(f->partner);
        free(f->directory);
        free(f);
        return NULL;
    }
    f->next = o->folders;
    return o->folders = f;
}

static bool watched_elsewhere(const struct outboxes *o, const struct folder *but)
{
    for (const struct folder *f = o->folders; f != NULL; f = f->next)
        if (f != but && f->watch == but->watch)
            return true;
    return false;
}

static void drop_unwanted(struct outboxes *o)
{
    for (struct folder **at = &o->folders; *at != NULL;) {
        struct folder *f = *at;

        if (f->wanted) {
            f->wanted = false;
            at = &f->next;
            continue;
        }
        if (f->watch >= 0 && !watched_elsewhere(o, f))
            (void)inotify_rm_watch(o->inotify, f->watch);
        *at = f->next;
        forget(f, true);
        free(f->partner);
        free(f->directory);
        free(f);
    }
}

/* Looks wherever it is time; gives the time of the next look. */
static uint64_t look_around(struct outboxes *o)
{
    struct snapshot *sn = gateway_snapshot(o->g);
    uint64_t next = net_now_ms() + LOOK_MS;

    for (size_t i = 0; i < sn->partners_n; i++) {
        const struct partner *p = &sn->partners[i];

        for (size_t k = 0; k < p->cfg->outbox_n; k++) {
            const struct config_outbox *box = &p->cfg->outbox[k];
            struct folder *f = folder_of(o, p->name, k, box->directory);

            if (f == NULL)
                continue;
            f->wanted = true;
            if (net_now_ms() >= f->look_ms && !atomic_load(&o->g->stopping))
                look_at(o, f, box);
            if (f->look_ms < next)
                next = f->look_ms;
            if (f->work_ms < next)
                next = f->look_ms = f->work_ms;
        }
    }
    drop_unwanted(o);
    snapshot_put(sn);
    return next;
}

static void take_event(struct outboxes *o, const struct inotify_event *e)
{
    uint64_t soon = net_now_ms() + GATHER_MS;

    for (struct folder *f = o->folders; f != NULL; f = f->next) {
        struct seen *s;

        if ((e->mask & IN_Q_OVERFLOW) == 0 && f->watch != e->wd)
            continue;
        if ((e->mask & IN_IGNORED) != 0)
            f->watch = -1; /* the folder was removed */
        if ((e->mask & IN_MOVED_TO) != 0 && e->len > 0 && (s = seen_of(f, e->name)) != NULL)
            s->renamed = s->still_there = true;
        if (f->look_ms > soon)
            f->look_ms = soon;
    }
}

static void take_events(struct outboxes *o)
{
    union {
        struct inotify_event e;
        char octets[16384];
    } room;
    ssize_t n;

    while (o->inotify >= 0 && (n = read(o->inotify, &room, sizeof(room))) > 0)
        for (ssize_t at = 0; at < n;) {
            struct inotify_event e;
            const char *p = room.octets + at;

            memcpy(&e, p, sizeof(e));
            take_event(o, (const struct inotify_event *)(const void *)p);
            at += (ssize_t)(sizeof(e) + e.len);
        }
}

static void *watch_thread(void *arg)
{
    struct outboxes *o = arg;
    struct pollfd fds[2] = { { .fd = o->wake, .events = POLLIN },
                             { .fd = o->inotify, .events = POLLIN } };

    while (!atomic_load(&o->g->stopping)) {
        uint64_t next = look_around(o), now = net_now_ms();

        (void)poll(fds, 2, next > now ? (int)(next - now) : 0);
        take_events(o);
    }
    return NULL;
}

bool outboxes_start(struct gateway *g, struct outboxes **out, struct err *err)
{
    struct outboxes *o = calloc(1, sizeof(*o));

    if (o == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    o->g = g;
    o->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    o->inotify = inotify_init1(IN_CLOEXEC | IN_NONBLOCK);
    *out = o;
    o->running = o->wake >= 0 && pthread_create(&o->thread, NULL, watch_thread, o) == 0;
    return o->running || FAIL(err, FAIL_LOCAL, 0, "no thread can be started");
}

void outboxes_stop(struct outboxes *o)
{
    uint64_t one = 1;

    if (o == NULL)
        return;
    if (o->running) {
        (void)!write(o->wake, &one, sizeof(one));
        (void)pthread_join(o->thread, NULL);
    }
    drop_unwanted(o); /* none is wanted now */
    if (o->inotify >= 0)
        (void)close(o->inotify);
    if (o->wake >= 0)
        (void)close(o->wake);
    free(o);
}
