/* Connections. Sockets do not block; each call tries first and polls only when it must. */
#include "net/conn_int.h"

#include <arpa/inet.h>
#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/crypto.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/un.h>
#include <unistd.h>

enum { REFUSED_LINGER_MS = 300 }; /* so that a refused peer reads our alert, not a reset */

static _Thread_local const atomic_bool *heeded;

/* Readable for ever once it was rung. A thread that looked at its flag every tenth of a second would
 * be cheap; thousands of them, one for each idle connection, take half a processor. */
static struct {
    pthread_once_t once;
    int fd; /* -1: there is none */
    atomic_bool rung;
} bell = { .once = PTHREAD_ONCE_INIT, .fd = -1 };

static void bell_make(void)
{
    bell.fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
}

/* -1 when it was rung, or cannot be had. */
static int bell_fd(void)
{
    (void)pthread_once(&bell.once, bell_make);
    return atomic_load(&bell.rung) ? -1 : bell.fd;
}

void net_heed_now(void)
{
    uint64_t one = 1;
    int fd = bell_fd();

    atomic_store(&bell.rung, true);
    if (fd >= 0 && write(fd, &one, sizeof(one)) < 0)
        return; /* they look by themselves a little later */
}

const atomic_bool *net_heed(const atomic_bool *stop)
{
    const atomic_bool *before = heeded;

    heeded = stop;
    return before;
}

void net_thread_end(void)
{
    OPENSSL_thread_stop();
}

bool net_stopped(struct err *err)
{
    if (heeded == NULL || !atomic_load(heeded))
        return false;
    FAIL(err, FAIL_AGAIN, ECANCELED, "given up: the runtime is being stopped");
    return true;
}

bool net_wait(int fd, short events, uint64_t since_ms, uint64_t deadline, struct err *err)
{
    struct pollfd p[2] = { { .fd = fd, .events = events }, { .fd = -1, .events = POLLIN } };

    for (;;) {
        uint64_t now = net_now_ms();
        uint64_t left = deadline > now ? deadline - now : 0, look;
        int n;

        if (heeded != NULL) {
            p[1].fd = bell_fd();
            look = p[1].fd < 0 ? HEED_MS : HEED_BELL_MS;
            left = left > look ? look : left;
        }
        n = poll(p, 2, left > INT_MAX ? INT_MAX : (int)left);
        if (n > 0 && p[0].revents != 0)
            return true;
        if (net_stopped(err))
            return false;
        if (n < 0 && errno != EINTR)
            return FAIL(err, FAIL_LOCAL, errno, "poll: %s", strerror(errno));
        now = net_now_ms();
        if (n == 0 && now >= deadline)
            return FAIL(err, FAIL_AGAIN, ETIMEDOUT,
                        "timed out after %.1f s waiting for the peer",
                        (double)(now - since_ms) / 1000.0);
    }
}

/* ---- making and freeing ----------------------------------------------------------------- */

/* IPv4 peers of a socket for both families are told as IPv4: limits and logs shall not
 * depend on how we listen. */
static void plain_address(struct sockaddr_storage *ss, socklen_t *len)
{
    struct sockaddr_in6 in6;
    struct sockaddr_in in = { .sin_family = AF_INET };

    if (ss->ss_family != AF_INET6)
        return;
    memcpy(&in6, ss, sizeof(in6));
    if (!IN6_IS_ADDR_V4MAPPED(&in6.sin6_addr))
        return;
    in.sin_port = in6.sin6_port;
    memcpy(&in.sin_addr, in6.sin6_addr.s6_addr + 12, 4);
    memcpy(ss, &in, sizeof(in));
    *len = sizeof(in);
}

static bool name_peer(struct conn *c, struct err *err)
{
    struct sockaddr_storage ss = { 0 };
    socklen_t len = sizeof(ss);
    char port[NI_MAXSERV];
    int one = 1;

    if (getpeername(c->fd, (struct sockaddr *)&ss, &len) != 0)
        return FAIL(err, FAIL_AGAIN, errno, "the peer left at once: %s", strerror(errno));
    if (ss.ss_family == AF_UNIX) {
        (void)text_copy(c->address, sizeof(c->address), "unix");
        (void)text_copy(c->peer, sizeof(c->peer), "unix");
        return true;
    }
    /* Messages are handed over whole; waiting for more to send would only add delay. */
    (void)setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
    plain_address(&ss, &len);
    if (getnameinfo((struct sockaddr *)&ss, len, c->address, sizeof(c->address), port,
                    sizeof(port), NI_NUMERICHOST | NI_NUMERICSERV) != 0)
        return FAIL(err, FAIL_LOCAL, 0, "the peer has an address of unknown family %d",
                    ss.ss_family);
    (void)snprintf(c->peer, sizeof(c->peer), ss.ss_family == AF_INET6 ? "[%s]:%s" : "%s:%s",
                   c->address, port);
    return true;
}

bool conn_new(int fd, struct conn **out, struct err *err)
{
    struct conn *c = calloc(1, sizeof(*c));
    int flags = fcntl(fd, F_GETFL);

    if (c == NULL) {
        close(fd);
        return FAIL(err, FAIL_LOCAL, ENOMEM, "memory is out");
    }
    c->fd = fd;
    atomic_init(&c->refs, 1);
    (void)pthread_mutex_init(&c->lock, NULL);
    if (flags < 0 || fcntl(fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        FAIL(err, FAIL_LOCAL, errno, "make the socket non-blocking: %s", strerror(errno));
        goto out;
    }
    if (!name_peer(c, err))
        goto out;
    *out = c;
    c = NULL;
out:
    if (c != NULL)
        conn_close(c, 0);
    return c == NULL;
}

bool conn_accept(int fd, struct tls *tls, uint64_t deadline, struct conn **out, struct err *err)
{
    struct conn *c = NULL;

    if (!conn_new(fd, &c, err))
        return false;
    if (tls != NULL && !conn_tls_start(c, tls, NULL, NULL, deadline, err)) {
        uint64_t linger = net_now_ms() + REFUSED_LINGER_MS;

        conn_close(c, linger < deadline ? linger : deadline);
        return false;
    }
    *out = c;
    return true;
}

struct conn *conn_ref(struct conn *c)
{
    atomic_fetch_add(&c->refs, 1);
    return c;
}

void conn_unref(struct conn *c)
{
    if (c == NULL || atomic_fetch_sub(&c->refs, 1) != 1)
        return;
    assert(c->fd < 0); /* the last reference goes after conn_close */
    SSL_free(c->ssl);
    X509_free(c->peer_certificate);
    free(c->out);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

/* Until the peer has closed too: a socket closed with unread octets is reset, and a reset
 * would cut what the peer has not read yet. */
static void drain(struct conn *c, uint64_t deadline)
{
    char trash[16 * 1024];
    uint64_t since = net_now_ms();
    struct err ignored;

    while (net_now_ms() < deadline) {
        ssize_t n = recv(c->fd, trash, sizeof(trash), MSG_DONTWAIT);

        if (n > 0 || (n < 0 && errno == EINTR))
            continue;
        if (n == 0 || (errno != EAGAIN && errno != EWOULDBLOCK))
            return;
        if (!net_wait(c->fd, POLLIN, since, deadline, &ignored))
            return;
    }
}

void conn_close(struct conn *c, uint64_t deadline)
{
    int fd;

    if (c == NULL)
        return;
    if (!atomic_load(&c->down)) {
        if (c->established && !c->failed && !c->write_failed)
            conn_tls_end(c, deadline);
        if (deadline > 0 && shutdown(c->fd, SHUT_WR) == 0)
            drain(c, deadline);
    }
    (void)pthread_mutex_lock(&c->lock);
    fd = c->fd;
    c->fd = -1;
    close(fd);
    (void)pthread_mutex_unlock(&c->lock);
    conn_unref(c);
}

void conn_shutdown(struct conn *c)
{
    atomic_store(&c->down, true);
    (void)pthread_mutex_lock(&c->lock);
    if (c->fd >= 0)
        (void)shutdown(c->fd, SHUT_RDWR);
    (void)pthread_mutex_unlock(&c->lock);
}

/* ---- reading and writing ---------------------------------------------------------------- */

/* True when another thread ended the connection: whatever the socket says is then our doing. */
static bool is_down(const struct conn *c, struct err *err)
{
    if (!atomic_load(&c->down))
        return false;
    FAIL(err, FAIL_AGAIN, ECONNABORTED, "the connection was ended on our side");
    return true;
}

static bool io_failed(const char *what, struct err *err)
{
    int e = errno;

    if (e == EPIPE || e == ECONNRESET)
        return FAIL(err, FAIL_AGAIN, e, "%s: the peer has closed the connection (%s)", what,
                    strerror(e));
    return FAIL(err, FAIL_AGAIN, e, "%s: %s", what, strerror(e));
}

static bool plain_read(struct conn *c, struct room room, uint64_t deadline, size_t *n,
                       struct err *err)
{
    uint64_t since = 0;

    for (;;) {
        ssize_t got = recv(c->fd, room.p, room.n, MSG_DONTWAIT);

        if (got >= 0) {
            *n = (size_t)got;
            return true;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return io_failed("read", err);
        if (since == 0)
            since = net_now_ms();
        if (!net_wait(c->fd, POLLIN, since, deadline, err))
            return false;
    }
}

static bool plain_write(struct conn *c, struct span octets, uint64_t deadline, struct err *err)
{
    uint64_t since = 0;

    while (octets.n > 0) {
        ssize_t put = send(c->fd, octets.p, octets.n, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (put >= 0) {
            span_skip(&octets, (size_t)put);
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN && errno != EWOULDBLOCK)
            return io_failed("write", err);
        if (since == 0)
            since = net_now_ms();
        if (!net_wait(c->fd, POLLOUT, since, deadline, err))
            return false;
    }
    return true;
}

bool conn_read(struct conn *c, struct room room, uint64_t deadline, size_t *n, struct err *err)
{
    size_t got = 0;
    bool ok;

    assert(room.n > 0);
    if (is_down(c, err))
        return false;
    ok = c->ssl != NULL ? conn_tls_read(c, room, deadline, &got, err)
                        : plain_read(c, room, deadline, &got, err);
    if ((!ok || got == 0) && is_down(c, err))
        return false;
    if (ok)
        *n = got;
    return ok;
}

bool conn_write(struct conn *c, struct span octets, uint64_t deadline, struct err *err)
{
    if (is_down(c, err))
        return false;
    if (c->failed || c->write_failed) {
        *err = c->failure;
        return false;
    }
    if (c->ssl != NULL ? conn_tls_write(c, octets, deadline, err)
                       : plain_write(c, octets, deadline, err))
        return true;
    /* An unknown part of it is on its way: writing on would garble the stream. */
    if (!is_down(c, err)) {
        c->write_failed = true;
        c->failure = *err;
    }
    return false;
}

bool conn_readable(struct conn *c)
{
    struct pollfd p = { .fd = c->fd, .events = POLLIN };

    if (c->ssl != NULL)
        return conn_tls_readable(c);
    return poll(&p, 1, 0) > 0;
}

/* ---- what is known of it ---------------------------------------------------------------- */

const char *conn_peer(const struct conn *c)
{
    return c->peer;
}

const char *conn_address(const struct conn *c)
{
    return c->address;
}

const X509 *conn_peer_certificate(const struct conn *c)
{
    return c->peer_certificate;
}

const char *conn_tls_text(const struct conn *c)
{
    return c->tls_text;
}
