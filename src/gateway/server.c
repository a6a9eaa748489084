/* The OFTP2 server: listening endpoints, limits, one thread a connection. */
#include "gateway/session_int.h"

#include "base/writer.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum { ADDRESSES = 4096, THREAD_STACK = 512 * 1024, HANDSHAKE_MS = 30000 };

struct bound {
    int fd;
    uint16_t port;
    const struct config_oftp2_endpoint *cfg;
};

struct address_count { /* open addressing by a hash of the text */
    char text[48];
    unsigned n;
};

struct server {
    struct gateway *g;
    struct bound *bound;
    size_t n;
    int wake;
    pthread_t acceptor;
    bool running;
    pthread_mutex_t lock; /* guards what follows */
    pthread_cond_t left;
    unsigned connections;
    struct address_count addresses[ADDRESSES];
};

struct arrival {
    struct server *s;
    int fd;
    size_t endpoint;
    char address[48];
};

/* ---- limits ------------------------------------------------------------------------------ */

/* The slot of this address, or one for it: an empty one ends the search, one that counts nothing
 * any more may be taken over (never emptied: others may lie behind it). */
static struct address_count *address_slot(struct server *s, const char *address)
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
static const char *admit(struct server *s, const char *address)
{
    const struct config_oftp2_server *os = &s->g->rt->oftp2_server;
    const char *no = NULL;
    struct address_count *c;

    pthread_mutex_lock(&s->lock);
    c = address_slot(s, address);
    if (s->connections >= os->max_connections || c == NULL)
        no = "oftp2_server.max_connections";
    else if (c->n >= os->max_connections_per_address)
        no = "oftp2_server.max_connections_per_address";
    if (no == NULL) {
        (void)text_copy(c->text, sizeof(c->text), address);
        c->n++;
        s->connections++;
    }
    pthread_mutex_unlock(&s->lock);
    return no;
}

static void leave(struct server *s, const char *address)
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

/* ESID(08) in place of SSRM, where no TLS is in the way: the protocol's own word for "later". */
static void turn_away(int fd, bool plain)
{
    struct oftp_esid_command c = { .reas = ESID_RESOURCES };
    uint8_t octets[OFTP_STH + 1100];
    struct writer w = writer_of(octets + OFTP_STH, sizeof(octets) - OFTP_STH);
    struct err err;

    (void)text_copy(c.reast, sizeof(c.reast), "too many connections: try again later");
    if (plain && oftp_write_esid(&w, OFTP_20, &c, &err)) {
        size_t n = w.n + OFTP_STH;

        octets[0] = 0x10;
        octets[1] = 0;
        octets[2] = (uint8_t)(n >> 8);
        octets[3] = (uint8_t)n;
        (void)send(fd, octets, n, MSG_NOSIGNAL | MSG_DONTWAIT);
        (void)shutdown(fd, SHUT_WR);
    }
    (void)close(fd);
}

/* ---- one connection ---------------------------------------------------------------------- */

static void serve(struct arrival *a)
{
    struct gateway *g = a->s->g;
    struct snapshot *sn = gateway_snapshot(g);
    const struct endpoint_tls *et = &sn->endpoints[a->endpoint];
    struct tls *tls = et->tls == NULL ? NULL : tls_ref(et->tls);
    bool wants_tls = a->s->bound[a->endpoint].cfg->session_level_encryption;
    struct conn *c = NULL;
    struct session *s;
    struct err err = { 0 };
    bool accepted;

    net_heed(&g->stopping); /* who has not said a word yet is not waited for */
    accepted = (!wants_tls || tls != NULL) &&
               conn_accept(a->fd, tls, net_now_ms() + HANDSHAKE_MS, &c, &err);
    net_heed(NULL);
    if (wants_tls && tls == NULL) {
        log_event(LOG_ERROR, "oftp2.endpoint.tls", "port",
                  log_num(a->s->bound[a->endpoint].port), "address", a->address, "reason",
                  et->error, NULL);
        (void)close(a->fd);
    } else if (!accepted) {
        log_event(LOG_WARN, "oftp2.connection.failed", "address", a->address, "reason",
                  err.text, NULL);
    } else if ((s = session_new(g, c, false)) != NULL) {
        s->certificate_vouched = a->s->bound[a->endpoint].cfg->trusted_certificates != NULL;
        s->certificate_needed = a->s->bound[a->endpoint].cfg->require_client_ssl;
        if (session_link(s)) {
            session_run(s);
            session_unlink(s);
        }
        conn_close(c, net_now_ms() + 2000);
        session_free(s);
    }
    tls_unref(tls);
    snapshot_put(sn);
}

static void *connection_thread(void *arg)
{
    struct arrival *a = arg;

    serve(a);
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

static void arrive(struct server *s, int fd, size_t endpoint)
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
        log_event(LOG_WARN, "oftp2.connection.refused", "address", a == NULL ? "" : a->address,
                  "esid", "8", "reason", "too many connections", "look_at", no, NULL);
        turn_away(fd, !s->bound[endpoint].cfg->session_level_encryption);
        free(a);
        return;
    }
    pthread_attr_init(&attr);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    pthread_attr_setstacksize(&attr, THREAD_STACK);
    if (pthread_create(&t, &attr, connection_thread, a) != 0) {
        log_event(LOG_ERROR, "oftp2.connection.refused", "address", a->address, "reason",
                  "no thread can be started", NULL);
        turn_away(fd, !s->bound[endpoint].cfg->session_level_encryption);
        leave(s, a->address);
        free(a);
    }
    pthread_attr_destroy(&attr);
}

static void *acceptor_thread(void *arg)
{
    struct server *s = arg;
    int *fds = calloc(s->n + 1, sizeof(*fds));

    for (size_t i = 0; fds != NULL && i < s->n; i++)
        fds[i] = s->bound[i].fd;
    while (fds != NULL && !atomic_load(&s->g->stopping)) {
        struct err err = { 0 };
        size_t which = 0;
        int fd = -1;

        if (!net_accept(fds, s->n, s->wake, &fd, &which, &err)) {
            log_event(LOG_ERROR, "oftp2.accept", "reason", err.text, NULL);
            (void)usleep(100000);
        } else if (fd >= 0) {
            arrive(s, fd, which);
        }
    }
    free(fds);
    return NULL;
}

/* ---- start and stop ---------------------------------------------------------------------- */

bool server_start(struct gateway *g, struct server **out, struct err *err)
{
    const struct config_oftp2_server *os = &g->rt->oftp2_server;
    struct server *s = calloc(1, sizeof(*s));

    if (s == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    s->g = g;
    pthread_mutex_init(&s->lock, NULL);
    pthread_cond_init(&s->left, NULL);
    s->wake = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    s->bound = calloc(os->endpoints_n + 1, sizeof(*s->bound));
    *out = s;
    if (s->bound == NULL || s->wake < 0)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory or descriptors");
    for (size_t i = 0; i < os->endpoints_n; i++) {
        struct bound *b = &s->bound[i];

        b->cfg = &os->endpoints[i];
        if (!net_listen(b->cfg->host, b->cfg->port, &b->fd, &b->port, err))
            return err_context(err, "oftp2_server.endpoints (line %u)", b->cfg->at.line);
        s->n++;
        log_event(LOG_INFO, "oftp2.endpoint", "host", b->cfg->host, "port", log_num(b->port),
                  "tls", b->cfg->session_level_encryption ? "yes" : "no", NULL);
    }
    s->running = s->n > 0 && pthread_create(&s->acceptor, NULL, acceptor_thread, s) == 0;
    return s->n == 0 || s->running || FAIL(err, FAIL_LOCAL, 0, "no thread can be started");
}

void server_stop(struct server *s)
{
    uint64_t one = 1;

    if (s == NULL)
        return;
    if (s->running) {
        if (write(s->wake, &one, sizeof(one)) < 0)
            log_event(LOG_ERROR, "oftp2.stop", "reason", strerror(errno), NULL);
        (void)pthread_join(s->acceptor, NULL);
        s->running = false;
    }
    for (size_t i = 0; i < s->n; i++)
        if (s->bound[i].fd >= 0) {
            (void)close(s->bound[i].fd);
            s->bound[i].fd = -1;
        }
}

void server_free(struct server *s)
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

void server_endpoints(struct server *s, struct arena *a, struct gateway_endpoint **list,
                      size_t *n)
{
    *n = 0;
    *list = arena_take(a, sizeof(**list) * (s->n + 1));
    for (size_t i = 0; *list != NULL && i < s->n; i++) {
        struct gateway_endpoint *e = &(*list)[(*n)++];

        e->protocol = "oftp2";
        e->host = arena_text(a, s->bound[i].cfg->host);
        e->port = s->bound[i].port;
        e->tls = s->bound[i].cfg->session_level_encryption;
    }
}
