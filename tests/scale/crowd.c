/* A crowd of clients on one thread, for tests/scale: sessions that idle or send small documents, one
 * large transfer, and what hostile crowds do. Prints a JSON line when all are open and one at the end.
 *
 *   crowd KEY=VALUE...
 *     protocol=oftp2|as2  host= port= source= (our address)  tls=1
 *     mode=sessions   count= connections, of which active= send documents
 *          slow       they send one octet every slow_ms=1000, and never come to an end
 *          silent     they connect and say nothing
 *          flood      they connect again and again, as fast as it goes, and say nothing; who hears
 *                     nothing hangs up after hold_ms=200
 *     size= of documents  documents= at most (0 any)  every_ms= pause between two of one client
 *     window= connections opened at the same time  seconds= after all are open
 *     code= (and four digits, of partners= many) password= own= (whom we call)  path= */
#include "crowd.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum { EVENTS = 512, AGAIN_US = 200000 };

static volatile sig_atomic_t stop;

uint64_t now_us(void)
{
    struct timespec t;

    (void)clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000 + (uint64_t)t.tv_nsec / 1000;
}

static void *more_room(void *p, size_t n)
{
    p = realloc(p, n);
    if (p == NULL)
        abort();
    return p;
}

void times_add(struct times *t, uint64_t us)
{
    if (t->n == t->cap) {
        t->cap = t->cap == 0 ? 1024 : t->cap * 2;
        t->us = more_room(t->us, t->cap * sizeof(*t->us));
    }
    t->us[t->n++] = us > UINT32_MAX ? UINT32_MAX : (uint32_t)us;
}

void put(struct client *c, const void *p, size_t n)
{
    if (c->out_at == c->out_n)
        c->out_at = c->out_n = 0;
    if (c->out_n + n > c->out_cap) {
        c->out_cap = c->out_n + n + 4096;
        c->out = more_room(c->out, c->out_cap);
    }
    memcpy(c->out + c->out_n, p, n);
    c->out_n += n;
}

void code_of(const struct client *c, char text[32])
{
    (void)snprintf(text, 32, "%.20s%04u", c->crowd->code, c->number % c->crowd->partners);
}

void put_text(struct client *c, const char *fmt, ...)
{
    char text[2048];
    va_list args;
    int n;

    va_start(args, fmt);
    n = vsnprintf(text, sizeof(text), fmt, args);
    va_end(args);
    put(c, text, (size_t)n);
}

/* ---- what the protocols tell ------------------------------------------------------------- */

void ready(struct client *c)
{
    struct crowd *w = c->crowd;

    times_add(&w->accept, now_us() - c->begun_us);
    c->step = STEP_READY;
    c->counted = true;
    c->next_us = now_us();
    w->opening--;
    w->ready++;
    w->opened++;
}

void taken(struct client *c)
{
    times_add(&c->crowd->taken, now_us() - c->begun_us);
    c->crowd->documents++;
    c->crowd->octets += c->crowd->size;
    c->next_us = c->begun_us + c->crowd->every_us;
}

void settled(struct client *c, bool good)
{
    times_add(&c->crowd->settled, now_us() - c->begun_us);
    c->crowd->receipts++;
    c->crowd->negative += !good;
}

void refused(struct client *c, int reason, const char *words, size_t n)
{
    struct crowd *w = c->crowd;

    w->refused++;
    w->reasons[reason >= 0 && reason < 100 ? reason : 0]++;
    if (w->said[0] == '\0')
        for (size_t i = 0; i < n && i < sizeof(w->said) - 1; i++)
            w->said[i] = words[i] < ' ' || words[i] > '~' || words[i] == '"' || words[i] == '\\'
                             ? '.'
                             : words[i];
}

/* ---- one connection ---------------------------------------------------------------------- */

static void hang_up(struct client *c)
{
    struct crowd *w = c->crowd;

    if (c->step == STEP_CLOSED)
        return;
    if (c->step >= STEP_READY)
        w->ready--;
    else
        w->opening--;
    if (c->counted)
        w->closed++;
    c->step = STEP_CLOSED;
    c->counted = false;
    SSL_free(c->ssl);
    c->ssl = NULL;
    (void)close(c->fd);
    c->in_n = c->out_n = c->out_at = 0;
    c->sending = c->want_write = false;
    c->next_us = now_us() + AGAIN_US;
}

static void watch(struct client *c, bool write, int how)
{
    struct epoll_event e = { .events = EPOLLIN | (write ? EPOLLOUT : 0), .data.ptr = c };

    if (how == EPOLL_CTL_MOD && c->want_write == write)
        return;
    c->want_write = write;
    (void)epoll_ctl(c->crowd->epoll, how, c->fd, &e);
}

static void open_one(struct client *c)
{
    struct crowd *w = c->crowd;
    struct sockaddr_in to = { .sin_family = AF_INET, .sin_port = htons((uint16_t)w->port) };
    struct sockaddr_in from = { .sin_family = AF_INET };
    int one = 1;

    c->fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    (void)setsockopt(c->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof(one));
    if (c->fd < 0 || inet_pton(AF_INET, w->host, &to.sin_addr) != 1 ||
        inet_pton(AF_INET, w->source, &from.sin_addr) != 1 ||
        bind(c->fd, (struct sockaddr *)&from, sizeof(from)) != 0 ||
        (connect(c->fd, (struct sockaddr *)&to, sizeof(to)) != 0 && errno != EINPROGRESS)) {
        w->failed++;
        if (c->fd >= 0)
            (void)close(c->fd);
        c->next_us = now_us() + AGAIN_US;
        return;
    }
    c->step = STEP_CONNECTING;
    c->begun_us = now_us();
    w->opening++;
    w->started++;
    watch(c, true, EPOLL_CTL_ADD);
}

/* Sends what there is. False: the connection is gone. */
static bool flush(struct client *c)
{
    for (;;) {
        ssize_t n;

        while (c->out_at < c->out_n) {
            size_t left = c->out_n - c->out_at;

            n = c->ssl != NULL
                    ? SSL_write(c->ssl, c->out + c->out_at, left > 65536 ? 65536 : (int)left)
                    : send(c->fd, c->out + c->out_at, left, MSG_NOSIGNAL);
            if (n <= 0) {
                bool later = c->ssl != NULL
                                 ? SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_WRITE
                                 : errno == EAGAIN;

                watch(c, true, EPOLL_CTL_MOD);
                return later;
            }
            c->out_at += (size_t)n;
        }
        c->crowd->protocol->more(c);
        if (c->out_at == c->out_n)
            break;
    }
    watch(c, false, EPOLL_CTL_MOD);
    return true;
}

static bool understand(struct client *c)
{
    size_t at = 0;

    while (at < c->in_n) {
        ptrdiff_t used = c->crowd->protocol->input(c, c->in + at, c->in_n - at);

        if (used < 0)
            return false;
        if (used == 0)
            break;
        at += (size_t)used;
    }
    memmove(c->in, c->in + at, c->in_n - at);
    c->in_n -= at;
    return flush(c);
}

static bool take(struct client *c)
{
    for (;;) {
        size_t room = sizeof(c->in) - c->in_n;
        ssize_t n = c->ssl != NULL ? SSL_read(c->ssl, c->in + c->in_n, (int)room)
                                   : recv(c->fd, c->in + c->in_n, room, 0);

        if (n <= 0)
            return c->ssl != NULL ? SSL_get_error(c->ssl, (int)n) == SSL_ERROR_WANT_READ
                                  : n < 0 && errno == EAGAIN;
        c->in_n += (size_t)n;
        if (!understand(c))
            return false;
    }
}

static bool begin(struct client *c)
{
    c->step = STEP_START;
    if (strcmp(c->crowd->mode, "sessions") != 0) {
        if (strcmp(c->crowd->mode, "slow") == 0)
            c->next_us = now_us();
        watch(c, false, EPOLL_CTL_MOD);
        return true;
    }
    c->crowd->protocol->start(c);
    return flush(c);
}

static bool handshake(struct client *c)
{
    int r = SSL_do_handshake(c->ssl);
    int e = SSL_get_error(c->ssl, r);

    if (r == 1)
        return begin(c);
    watch(c, e == SSL_ERROR_WANT_WRITE, EPOLL_CTL_MOD);
    return e == SSL_ERROR_WANT_READ || e == SSL_ERROR_WANT_WRITE;
}

static bool connected(struct client *c)
{
    struct crowd *w = c->crowd;
    int e = 0;
    socklen_t n = sizeof(e);

    if (getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &e, &n) != 0 || e != 0)
        return false;
    if (!w->tls || strcmp(w->mode, "sessions") != 0)
        return begin(c);
    c->step = STEP_HANDSHAKE;
    c->ssl = SSL_new(w->ctx);
    (void)SSL_set_fd(c->ssl, c->fd);
    SSL_set_connect_state(c->ssl);
    return handshake(c);
}

static void event(struct client *c, uint32_t events)
{
    bool ok = true;

    if (c->step == STEP_CLOSED)
        return;
    if (c->step == STEP_CONNECTING)
        ok = connected(c);
    else if (c->step == STEP_HANDSHAKE)
        ok = handshake(c);
    else if ((events & EPOLLOUT) != 0)
        ok = flush(c);
    if (ok && c->step >= STEP_START && (events & (EPOLLIN | EPOLLHUP | EPOLLERR)) != 0)
        ok = take(c);
    if (!ok) {
        c->crowd->failed += !c->counted;
        hang_up(c);
    }
}

/* ---- the crowd --------------------------------------------------------------------------- */

/* What this client does of itself at this time. */
static void tick(struct client *c, uint64_t now)
{
    struct crowd *w = c->crowd;

    if (c->step == STEP_CLOSED && now >= c->next_us && w->opening < w->window) {
        open_one(c);
    } else if (c->step == STEP_START && strcmp(w->mode, "slow") == 0 && now >= c->next_us) {
        uint8_t octet = w->protocol->drip(c->documents++);

        c->next_us = now + w->slow_every_us;
        if (send(c->fd, &octet, 1, MSG_NOSIGNAL) != 1)
            hang_up(c);
    } else if (c->step == STEP_START && strcmp(w->mode, "flood") == 0) {
        if (now > c->begun_us + w->hold_us)
            hang_up(c);
    } else if (c->step == STEP_READY && c->number < w->active && now >= c->next_us &&
               (c->mine || w->protocol == &as2) &&
               (w->documents_max == 0 || c->documents < w->documents_max)) {
        c->step = STEP_BUSY;
        c->begun_us = now;
        w->protocol->document(c);
        if (!flush(c))
            hang_up(c);
    }
}

static int by_size(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void say_times(const char *name, struct times *t)
{
    if (t->n == 0)
        return;
    qsort(t->us, t->n, sizeof(*t->us), by_size);
    printf(", \"%s_p50_ms\": %.2f, \"%s_p99_ms\": %.2f, \"%s_max_ms\": %.2f", name,
           t->us[t->n / 2] / 1000.0, name, t->us[t->n * 99 / 100] / 1000.0, name,
           t->us[t->n - 1] / 1000.0);
}

static void say(struct crowd *w, const char *event, double seconds)
{
    printf("{\"event\": \"%s\", \"seconds\": %.3f, \"opened\": %llu, \"open\": %u, "
           "\"attempts\": %u, \"refused\": %llu, \"failed\": %llu, \"closed\": %llu, "
           "\"documents\": %llu, \"receipts\": %llu, \"negative\": %llu, \"octets\": %llu, "
           "\"said\": \"%s\"",
           event, seconds, (unsigned long long)w->opened, w->ready, w->started,
           (unsigned long long)w->refused, (unsigned long long)w->failed,
           (unsigned long long)w->closed, (unsigned long long)w->documents,
           (unsigned long long)w->receipts, (unsigned long long)w->negative,
           (unsigned long long)w->octets, w->said);
    say_times("accept", &w->accept);
    say_times("taken", &w->taken);
    say_times("settled", &w->settled);
    puts("}");
    (void)fflush(stdout);
}

/* All documents that were asked for are settled. */
static bool all_done(const struct crowd *w)
{
    return w->documents_max > 0 && w->receipts >= (uint64_t)w->documents_max * w->active;
}

/* Takes what has come already: whoever ends us knows of it. */
static void heard(struct crowd *w)
{
    struct epoll_event events[EVENTS];

    for (int turn = 0; turn < 100; turn++) {
        int n = epoll_wait(w->epoll, events, EVENTS, 0);

        if (n <= 0)
            return;
        for (int i = 0; i < n; i++)
            event(events[i].data.ptr, events[i].events);
    }
}

static void run(struct crowd *w)
{
    struct epoll_event events[EVENTS];
    uint64_t begun = now_us(), end = 0, looked = 0;
    bool sessions = strcmp(w->mode, "sessions") == 0;

    while (!stop && (end == 0 || now_us() < end) && !all_done(w)) {
        int n = epoll_wait(w->epoll, events, EVENTS, 1);
        uint64_t now = now_us();

        for (int i = 0; i < n; i++)
            event(events[i].data.ptr, events[i].events);
        if (now - looked >= 1000) { /* not for each event: there are thousands of clients */
            looked = now;
            for (unsigned i = 0; i < w->count; i++)
                tick(&w->clients[i], now);
        }
        if (end == 0 && (!sessions || w->ready + w->refused + w->failed >= w->count)) {
            say(w, "open", (double)(now_us() - begun) / 1e6);
            begun = now_us();
            end = begun + w->seconds * 1000000;
        }
    }
    heard(w);
    say(w, "end", (double)(now_us() - begun) / 1e6);
}

static void set(struct crowd *w, const char *key, const char *value)
{
    const struct {
        const char *name;
        const char **text;
        unsigned *number;
    } rows[] = {
        { "host", &w->host, NULL },
        { "source", &w->source, NULL },
        { "code", &w->code, NULL },
        { "password", &w->password, NULL },
        { "own", &w->own, NULL },
        { "path", &w->path, NULL },
        { "mode", &w->mode, NULL },
        { "port", NULL, &w->port },
        { "count", NULL, &w->count },
        { "active", NULL, &w->active },
        { "window", NULL, &w->window },
        { "partners", NULL, &w->partners },
        { "documents", NULL, &w->documents_max },
    };
    unsigned long long n = strtoull(value, NULL, 10);

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
        if (strcmp(rows[i].name, key) == 0) {
            if (rows[i].text != NULL)
                *rows[i].text = value;
            else
                *rows[i].number = (unsigned)n;
            return;
        }
    if (strcmp(key, "protocol") == 0)
        w->protocol = strcmp(value, "as2") == 0 ? &as2 : &oftp2;
    else if (strcmp(key, "tls") == 0)
        w->tls = n != 0;
    else if (strcmp(key, "size") == 0)
        w->size = n;
    else if (strcmp(key, "seconds") == 0)
        w->seconds = n;
    else if (strcmp(key, "every_ms") == 0)
        w->every_us = n * 1000;
    else if (strcmp(key, "hold_ms") == 0)
        w->hold_us = n * 1000;
    else if (strcmp(key, "slow_ms") == 0)
        w->slow_every_us = (unsigned)n * 1000;
    else {
        (void)fprintf(stderr, "crowd: no such setting: %s\n", key);
        exit(2);
    }
}

static void on_signal(int number)
{
    (void)number;
    stop = 1;
}

int main(int argc, char **argv)
{
    struct crowd w = { .protocol = &oftp2,
                       .host = "127.0.0.1",
                       .source = "0.0.0.0",
                       .code = "O0013CROWD",
                       .password = "PW",
                       .own = "O0013WAYBILL",
                       .path = "/as2",
                       .mode = "sessions",
                       .count = 1,
                       .window = 64,
                       .partners = 1,
                       .slow_every_us = 1000000,
                       .hold_us = AGAIN_US,
                       .size = 4096,
                       .seconds = 10 };
    struct rlimit limit;

    for (int i = 1; i < argc; i++) {
        char *value = strchr(argv[i], '=');

        if (value == NULL) {
            (void)fprintf(stderr, "crowd: KEY=VALUE, not %s\n", argv[i]);
            return 2;
        }
        *value = '\0';
        set(&w, argv[i], value + 1);
    }
    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        (void)setrlimit(RLIMIT_NOFILE, &limit);
    }
    (void)signal(SIGTERM, on_signal);
    (void)signal(SIGPIPE, SIG_IGN);
    w.ctx = SSL_CTX_new(TLS_client_method());
    w.epoll = epoll_create1(EPOLL_CLOEXEC);
    w.clients = calloc(w.count, sizeof(*w.clients));
    if (w.clients == NULL || w.ctx == NULL || w.epoll < 0)
        return 1;
    SSL_CTX_set_mode(w.ctx, SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER |
                                SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_RELEASE_BUFFERS);
    for (unsigned i = 0; i < w.count; i++) {
        w.clients[i].crowd = &w;
        w.clients[i].number = i;
        w.clients[i].fd = -1;
    }
    run(&w);
    return 0;
}
