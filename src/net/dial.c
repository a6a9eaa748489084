/* Calling: names are looked up, addresses tried one after the other. */
#include "net/conn_int.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* ---- names ------------------------------------------------------------------------------ */

/* getaddrinfo knows no deadline: it runs on a thread of its own, which is left behind when it
 * takes too long. Counted, because either side may be the last. */
struct lookup {
    pthread_mutex_t lock;
    pthread_cond_t done_cond;
    unsigned refs;
    bool done;
    int result, result_errno;
    struct addrinfo *list;
    char service[8];
    char host[];
};

static const struct addrinfo hints = { .ai_socktype = SOCK_STREAM,
                                       .ai_flags = AI_NUMERICSERV | AI_ADDRCONFIG };

static void lookup_unref(struct lookup *l)
{
    bool last;

    (void)pthread_mutex_lock(&l->lock);
    last = --l->refs == 0;
    (void)pthread_mutex_unlock(&l->lock);
    if (!last)
        return;
    if (l->list != NULL)
        freeaddrinfo(l->list);
    (void)pthread_cond_destroy(&l->done_cond);
    (void)pthread_mutex_destroy(&l->lock);
    free(l);
}

static void *lookup_run(void *context)
{
    struct lookup *l = context;
    struct addrinfo *list = NULL;
    int result = getaddrinfo(l->host, l->service, &hints, &list);
    int result_errno = errno;

    (void)pthread_mutex_lock(&l->lock);
    l->result = result;
    l->result_errno = result_errno;
    l->list = result == 0 ? list : NULL;
    l->done = true;
    (void)pthread_cond_signal(&l->done_cond);
    (void)pthread_mutex_unlock(&l->lock);
    lookup_unref(l);
    return NULL;
}

static bool lookup_start(const char *host, uint16_t port, struct lookup **out, struct err *err)
{
    size_t n = strlen(host) + 1;
    struct lookup *l = calloc(1, sizeof(*l) + n);
    pthread_condattr_t monotonic;
    pthread_attr_t detached;
    pthread_t thread;
    int e;

    if (l == NULL)
        return FAIL(err, FAIL_LOCAL, ENOMEM, "memory is out");
    memcpy(l->host, host, n);
    (void)snprintf(l->service, sizeof(l->service), "%u", (unsigned)port);
    (void)pthread_mutex_init(&l->lock, NULL);
    (void)pthread_condattr_init(&monotonic);
    (void)pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    (void)pthread_cond_init(&l->done_cond, &monotonic);
    (void)pthread_condattr_destroy(&monotonic);
    l->refs = 2;
    (void)pthread_attr_init(&detached);
    (void)pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    e = pthread_create(&thread, &detached, lookup_run, l);
    (void)pthread_attr_destroy(&detached);
    if (e != 0) {
        l->refs = 1;
        lookup_unref(l);
        return FAIL(err, FAIL_LOCAL, e, "start a thread: %s", strerror(e));
    }
    *out = l;
    return true;
}

/* Under the lock: false when the deadline passed, or a stop came (*err is set then). */
static bool await(struct lookup *l, uint64_t deadline, struct err *err)
{
    while (!l->done) {
        uint64_t now = net_now_ms();
        uint64_t look = deadline - now > HEED_MS ? now + HEED_MS : deadline;
        struct timespec until = { .tv_sec = (time_t)(look / 1000),
                                  .tv_nsec = (long)(look % 1000) * 1000000 };

        if (net_stopped(err))
            return false;
        if (now >= deadline)
            return FAIL(err, FAIL_AGAIN, ETIMEDOUT, "timed out waiting for the name service");
        (void)pthread_cond_timedwait(&l->done_cond, &l->lock, &until);
    }
    return true;
}

/* Given: freeaddrinfo. */
static bool look_up(const char *host, uint16_t port, uint64_t deadline, struct addrinfo **out,
                    struct err *err)
{
    struct lookup *l = NULL;
    int result, result_errno;
    bool done;

    if (!lookup_start(host, port, &l, err))
        return false;
    (void)pthread_mutex_lock(&l->lock);
    done = await(l, deadline, err);
    result = l->result;
    result_errno = l->result_errno;
    if (done) {
        *out = l->list;
        l->list = NULL;
    }
    (void)pthread_mutex_unlock(&l->lock);
    lookup_unref(l);
    if (!done)
        return false;
    if (result == EAI_SYSTEM)
        return FAIL(err, FAIL_AGAIN, result_errno, "%s", strerror(result_errno));
    if (result != 0)
        return FAIL(err, FAIL_AGAIN, 0, "%s", gai_strerror(result));
    return true;
}

/* Addresses need no name service, and no thread. */
static bool resolve(const char *host, uint16_t port, uint64_t deadline, struct addrinfo **out,
                    struct err *err)
{
    struct addrinfo numeric = { .ai_socktype = SOCK_STREAM,
                                .ai_flags = AI_NUMERICSERV | AI_NUMERICHOST };
    char service[8];

    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    if (getaddrinfo(host, service, &numeric, out) == 0)
        return true;
    if (look_up(host, port, deadline, out, err))
        return true;
    return err_context(err, "resolving '%s'", host);
}

/* ---- connecting ------------------------------------------------------------------------- */

static bool connect_to(const struct addrinfo *ai, uint64_t deadline, int *out, struct err *err)
{
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int e = 0;
    socklen_t len = sizeof(e);

    if (fd < 0)
        return FAIL(err, FAIL_LOCAL, errno, "socket: %s", strerror(errno));
    if (connect(fd, ai->ai_addr, ai->ai_addrlen) != 0 && errno != EINPROGRESS &&
        errno != EINTR) {
        e = errno;
    } else if (!net_wait(fd, POLLOUT, net_now_ms(), deadline, err)) {
        close(fd);
        return false;
    } else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &e, &len) != 0) {
        e = errno;
    }
    if (e != 0) {
        close(fd);
        return FAIL(err, FAIL_AGAIN, e, "%s", strerror(e));
    }
    *out = fd;
    return true;
}

/* Each address gets its share of the time left, so that a silent one leaves some for the
 * others. */
static bool connect_any(const struct addrinfo *list, const char *host, uint16_t port,
                        uint64_t deadline, int *out, struct err *err)
{
    uint64_t n = 0;

    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next)
        n++;
    FAIL(err, FAIL_AGAIN, 0, "the name has no address");
    for (const struct addrinfo *ai = list; ai != NULL; ai = ai->ai_next, n--) {
        char address[NI_MAXHOST] = "?";
        uint64_t now = net_now_ms();
        uint64_t until = deadline > now ? now + (deadline - now) / n : now;

        if (connect_to(ai, until, out, err))
            return true;
        (void)getnameinfo(ai->ai_addr, ai->ai_addrlen, address, sizeof(address), NULL, 0,
                          NI_NUMERICHOST);
        if (strcmp(address, host) != 0)
            err_context(err, "%s", address);
    }
    return err_context(err, "connecting to '%s' port %u", host, (unsigned)port);
}

bool conn_dial(const char *host, uint16_t port, struct tls *tls, bool verify_name,
               uint64_t deadline, struct conn **out, struct err *err)
{
    struct addrinfo *list = NULL;
    struct conn *c = NULL;
    int fd = -1;
    bool ok;

    if (!resolve(host, port, deadline, &list, err))
        return false;
    ok = connect_any(list, host, port, deadline, &fd, err);
    freeaddrinfo(list);
    if (!ok)
        return false;
    if (!conn_new(fd, &c, err))
        return err_context(err, "connecting to '%s' port %u", host, (unsigned)port);
    if (tls != NULL &&
        !conn_tls_start(c, tls, host, verify_name ? host : NULL, deadline, err)) {
        conn_close(c, 0);
        return err_context(err, "'%s' port %u", host, (unsigned)port);
    }
    *out = c;
    return true;
}
