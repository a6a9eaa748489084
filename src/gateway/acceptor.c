/* Listening endpoints, limits, one thread a connection. */
#include "gateway/acceptor.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

enum {
    ADDRESSES = 4096,
    THREAD_STACK = 512 * 1024,
    TOLD_MS = 1000, /* in which ... */
    TOLD_MAX = 5,   /* ... so many refusals are logged, and the others counted */
};

struct bound {
    int fd;
    uint16_t port;
    struct acceptor_endpoint cfg;
};

struct address_count { /* open addressing by a hash of the text */
    char text[48];
    unsigned n;
};

struct acceptor {
    struct gateway *g;
    struct acceptor_config cfg;
    struct bound *bound;
    size_t n;
    int wake;
    pthread_t thread;
    bool running;
    uint64_t told_ms; /* refusals: of the accepting thread alone */
    unsigned told, untold;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t left;
    unsigned connections;
    struct address_count addresses[ADDRESSES];
};

struct arrival {
    struct acceptor *s;
    int fd;
    size_t endpoint;
    char address[48];
};

static void event(const struct acceptor *s, enum log_level level, const char *what,
                  const char *address, const char *reason, const char *look_at)
{
    char name[64];

    (void)snprintf(name, sizeof(name), "%s.%s", s->cfg.protocol, what);
    log_event(level, name, "address", address, "reason", reason, "look_at", look_at, NULL);
}

/* ---- limits ------------------------------------------------------------------------------ */

/* The slot of this address, or one for it: an empty one ends the search, one that counts nothing
 * any more may be taken over (never emptied: others may lie behind it). */
static struct address_count *address_slot(struct acceptor *s, const char *address)
{
    struct address_count *unused = NULL;
    uint32_t h = 2166136261u;

    for (const char *p = address; *p != '\0'; p++)
        h = (h ^ (uint8_t)*p) * 16777619u;
    for (unsigned i = 0; i < ADDRESSES; i++) {
        struct address_count *c = &s->addresses[(h + i) % ADDRESSES];

        if (strcmp(c->text, address) == 0)
            return c;
        if (c->n == 0 && unused == NULL)
            unused = c;
        if (c->text[0] == '\0')
            break;
    }
    return unused;
}

/* NULL when the connection may come in (it is counted then), else the setting that forbids it. */
static const char *admit(struct acceptor *s, const char *address)
{
    const char *no = NULL;
    struct address_count *c;

    pthread_mutex_lock(&s->lock);
    c = address_slot(s, address);
    if (s->connections >= s->cfg.max_connections || c == NULL)
        no = "max_connections";
    else if (c->n >= s->cfg.max_connections_per_address)
        no = "max_connections_per_address";
    if (no == NULL) {
        (void)text_copy(c->text, sizeof(c->text), address);
        c->n++;
        s->connections++;
    }
    pthread_mutex_unlock(&s->lock);
    return no;
}

static void leave(struct acceptor *s, const char *address)
{
    struct address_count *c;

    pthread_mutex_lock(&s->lock);
    c = address_slot(s, address);
    if (c != NULL && c->n > 0)
        c->n--;
    s->connections--;
    if (s->connections == 0)
        memset(s->addresses, 0, sizeof(s->addresses));
    pthread_cond_broadcast(&s->left);
    pthread_mutex_unlock(&s->lock);
}

/* ---- one connection ---------------------------------------------------------------------- */

static void *connection_thread(void *arg)
{
    struct arrival *a = arg;

    a->s->cfg.serve(a->s->g, a->fd, a->endpoint, a->address);
    net_thread_end();
    leave(a->s, a->address);
    free(a);
    return NULL;
}

/* The numeric address, for the limits; an IPv4 address mapped into IPv6 counts as itself. */
static void address_of(int fd, char *text, size_t cap)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof(ss);
    char host[80] = "unknown";
    const char *plain = host;

    if (getpeername(fd, (struct sockaddr *)&ss, &n) != 0 ||
        getnameinfo((struct sockaddr *)&ss, n, host, sizeof(host), NULL, 0, NI_NUMERICHOST) !=
            0)
        (void)text_copy(host, sizeof(host), "unknown");
    if (strncmp(host, "::ffff:", 7) == 0)
        plain = host + 7;
    (void)text_copy(text, cap, plain);
}

/* A flood of connections shall not be one of lines. */
static void tell_refused(struct acceptor *s, const char *address, const char *setting)
{
    uint64_t now = net_now_ms();
    char reason[80], look_at[80];

    if (now - s->told_ms >= TOLD_MS) {
        s->told_ms = now;
        s->told = 0;
    }
    if (s->told == TOLD_MAX) {
        s->untold++;
        return;
    }
    s->told++;
    (void)snprintf(look_at, sizeof(look_at), "%s.%s", s->cfg.section, setting);
    (void)text_copy(reason, sizeof(reason), "too many connections");
    if (s->untold > 0)
        (void)snprintf(reason, sizeof(reason), "too many connections (and %u not told)",
                       s->untold);
    event(s, LOG_WARN, "connection.refused", address, reason, look_at);
    s->untold = 0;
}

static void arrive(struct acceptor *s, int fd, size_t endpoint)
{
    struct arrival *a = calloc(1, sizeof(*a));
    const char *no = "memory";
    pthread_attr_t attr;
    pthread_t t;

    if (a != NULL) {
        a->s = s;
        a->fd = fd;
        a->endpoint = endpoint;
        address_of(fd, a->address, sizeof(a->address));
        no = admit(s, a->address);
    }
    if (no != NULL) {
        tell_refused(s, a == NULL ? "" : a->address, no);
        s->cfg.turn_away(fd, !s->bound[endpoint].cfg.tls);
        free(a);
        return;
    }
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    if (pthread_create(&t, &attr, connection_thread, a) != 0) {
        event(s, LOG_ERROR, "connection.refused", a->address, "no thread can be started",
              "TasksMax of the service, kernel.threads-max, vm.max_map_count");
        s->cfg.turn_away(fd, !s->bound[endpoint].cfg.tls);
        leave(s, a->address);
        free(a);
    }
    pthread_attr_destroy(&attr);
}

static void *acceptor_thread(void *arg)
{
    struct acceptor *s = arg;
    int *fds = calloc(s->n + 1, sizeof(*fds));

    for (size_t i = 0; fds != NULL && i < s->n; i++)
        fds[i] = s->bound[i].fd;
    while (fds != NULL && !atomic_load(&s->g->stopping)) {
        struct err err = { 0 };
        size_t which = 0;
        int fd = -1;

        if (!net_accept(fds, s->n, s->wake, &fd, &which, &err)) {
            event(s, LOG_ERROR, "accept", NULL, err.text, NULL);
            (void)usleep(100000);
        } else if (fd >= 0) {
            arrive(s, fd, which);
        }
    }
    free(fds);
    return NULL;
}

/* ---- start and stop ---------------------------------------------------------------------- */

static bool bind_one(struct acceptor *s, const struct acceptor_endpoint *e, struct err *err)
{
    struct bound *b = &s->bound[s->n];
    char name[64];

    b->cfg = *e;
    if (!net_listen(e->host, e->port, &b->fd, &b->port, err))
        return err_context(err, "%s.endpoints (line %u)", s->cfg.section, e->line);
    s->n++;
    (void)snprintf(name, sizeof(name), "%s.endpoint", s->cfg.protocol);
    log_event(LOG_INFO, name, "host", e->host, "port", log_num(b->port), "tls",
              e->tls ? "yes" : "no", NULL);
    return true;
}

bool acceptor_start(struct gateway *g, const struct acceptor_config *cfg,
                    const struct acceptor_endpoint *endpoints, size_t n, struct acceptor **out,
                    struct err *err)
{
    struct acceptor *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    s->g = g;
    s->cfg = *cfg;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->left, NULL);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->bound = calloc(n + 1, sizeof(*s->bound));
    *out = s;
    if (s->bound == NULL || s->wake < 0)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory or descriptors");
    for (size_t i = 0; i < n; i++)
        if (!bind_one(s, &endpoints[i], err))
            return false;
    s->running = s->n > 0 && pthread_create(&s->thread, NULL, acceptor_thread, s) == 0;
    return s->n == 0 || s->running || FAIL(err, FAIL_LOCAL, 0, "no thread can be started");
}

void acceptor_stop(struct acceptor *s)
{
    uint64_t one = 1;

    if (s == NULL)
        return;
    if (s->running) {
        if (write(s->wake, &one, sizeof(one)) < 0)
            event(s, LOG_ERROR, "stop", NULL, strerror(errno), NULL);
        (void)pthread_join(s->thread, NULL);
        s->running = false;
    }
    for (size_t i = 0; i < s->n; i++)
        if (s->bound[i].fd >= 0) {
            (void)close(s->bound[i].fd);
            s->bound[i].fd = -1;
        }
}

void acceptor_free(struct acceptor *s)
{
    if (s == NULL)
        return;
    pthread_mutex_lock(&s->lock);
    while (s->connections > 0)
        pthread_cond_wait(&s->left, &s->lock);
    pthread_mutex_unlock(&s->lock);
    if (s->wake >= 0)
        (void)close(s->wake);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->left);
    free(s->bound);
    free(s);
}

void acceptor_endpoints(struct acceptor *s, struct arena *a, struct gateway_endpoint *list,
                        size_t *n)
{
    for (size_t i = 0; s != NULL && i < s->n; i++)
        list[(*n)++] = (struct gateway_endpoint) { .protocol = s->cfg.protocol,
                                                   .host = arena_text(a, s->bound[i].cfg.host),
                                                   .port = s->bound[i].port,
                                                   .tls = s->bound[i].cfg.tls };
}

size_t acceptor_endpoints_n(const struct acceptor *s)
{
    return s == NULL ? 0 : s->n;
}

unsigned acceptor_connections(struct acceptor *s)
{
    unsigned n;

    if (s == NULL)
        return 0;
    pthread_mutex_lock(&s->lock);
    n = s->connections;
    pthread_mutex_unlock(&s->lock);
    return n;
}
