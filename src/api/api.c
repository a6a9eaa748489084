/* Sockets and threads of the admin API: an acceptor, and a thread for each connection. */
#include "api/api_int.h"
#include "net/log.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

enum {
    STACK = 1024 * 1024, /* octets of a connection's thread: buffers are on the heap */
    TIRED_MS = 100,      /* pause when descriptors are out */
    SEND_MS = 30 * 1000, /* a client must take an answer's piece within */
};

/* ---- connections ---------------------------------------------------------------------- */

/* A free place with its duplicate of fd; NULL: none. */
static struct api_conn *conn_add(struct api *api, int fd, bool local)
{
    struct api_conn *found = NULL;
    size_t tcp = 0;
    int copy = fcntl(fd, F_DUPFD_CLOEXEC, 0);

    if (copy < 0)
        return NULL;
    pthread_mutex_lock(&api->lock);
    for (size_t i = 0; i < API_CONNECTIONS_MAX; i++) {
        if (!api->conns[i].used && found == NULL)
            found = &api->conns[i];
        tcp += api->conns[i].used && !api->conns[i].local;
    }
    if (!local && tcp >= API_TCP_MAX)
        found = NULL;
    if (found != NULL) {
        *found = (struct api_conn) { api, copy, fd, true, local };
        api->running++;
    }
    pthread_mutex_unlock(&api->lock);
    if (found == NULL)
        close(copy);
    return found;
}

static void conn_drop(struct api_conn *conn)
{
    struct api *api = conn->api;

    pthread_mutex_lock(&api->lock);
    close(conn->fd);
    conn->used = false;
    if (--api->running == 0)
        pthread_cond_broadcast(&api->gone);
    pthread_mutex_unlock(&api->lock);
}

static void *conn_run(void *arg)
{
    struct api_conn *conn = arg;
    struct tls *tls = NULL;
    struct conn *c;
    struct err err;

    if (!conn->local && !gateway_admin_tls(conn->api->gateway, &tls, &err)) {
        log_event(LOG_ERROR, "api.tls", "reason", err.text, NULL);
        close(conn->peer_fd);
    } else if (conn_accept(conn->peer_fd, tls, net_now_ms() + SEND_MS, &c, &err))
        http_serve(c, conn->local, api_dispatch, conn, API_IDLE_MS);
    else
        log_event(LOG_DEBUG, "api.accept.failed", "error", err.text, NULL);
    tls_unref(tls);
    net_thread_end();
    conn_drop(conn);
    return NULL;
}

/* fd is taken. */
static void refuse(int fd)
{
    static const char busy[] =
        "HTTP/1.1 503 Service Unavailable\r\nConnection: close\r\n"
        "Content-Type: application/json\r\nContent-Length: 66\r\n\r\n"
        "{\"error\":\"too many connections are open already; try again later\"}";

    (void)!send(fd, busy, sizeof(busy) - 1, MSG_NOSIGNAL | MSG_DONTWAIT);
    close(fd);
}

/* fd is taken. */
static void serve(struct api *api, int fd, bool local)
{
    struct api_conn *conn = conn_add(api, fd, local);
    pthread_attr_t attr;
    pthread_t thread;
    int r = ENOMEM;

    if (conn == NULL) {
        log_event(LOG_WARN, "api.full", "limit", log_num(API_CONNECTIONS_MAX), NULL);
        refuse(fd);
        return;
    }
    if (pthread_attr_init(&attr) == 0) {
        (void)pthread_attr_setstacksize(&attr, STACK);
        (void)pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
        r = pthread_create(&thread, &attr, conn_run, conn);
        pthread_attr_destroy(&attr);
    }
    if (r != 0) {
        log_event(LOG_ERROR, "api.thread.failed", "error", strerror(r), NULL);
        conn_drop(conn);
        refuse(fd);
    }
}

static void *acceptor_run(void *arg)
{
    struct api *api = arg;
    const struct timespec pause = { 0, TIRED_MS * 1000000L };

    while (!atomic_load(&api->stopping)) {
        size_t which;
        struct err err;
        int fd;

        if (!net_accept(api->fds, api->fds_n, api->wake_fd, &fd, &which, &err)) {
            log_event(LOG_ERROR, "api.accept.failed", "error", err.text, NULL);
            (void)nanosleep(&pause, NULL);
        } else if (fd >= 0) {
            serve(api, fd, api->fd_local[which]);
        }
    }
    return NULL;
}

/* ---- start ------------------------------------------------------------------------------ */

static bool bind_socket(struct api *api, const char *path, struct err *err)
{
    if (!net_listen_unix(path, &api->fds[api->fds_n], err))
        return err_context(err, "admin.socket '%s'", path);
    api->fd_local[api->fds_n++] = true;
    api->socket_path = strdup(path);
    if (api->socket_path == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    return true;
}

static bool bind_tcp(struct api *api, const char *listen, bool tls, struct err *err)
{
    uint16_t port;

    api->tls = tls;
    if (!api_listen_parse(listen, tls, api->host, &port, err))
        return false;
    if (!net_listen(api->host, port, &api->fds[api->fds_n], &api->port, err))
        return err_context(err, "admin.listen '%s'", listen);
    api->fd_local[api->fds_n++] = false;
    return true;
}

static struct api *make(struct gateway *g)
{
    struct api *api = calloc(1, sizeof(*api));
    pthread_condattr_t attr;

    if (api == NULL)
        return NULL;
    api->gateway = g;
    api->logon = api_logon_new();
    api->web = api_web_new();
    if (api->logon == NULL || api->web == NULL) {
        api_logon_free(api->logon);
        api_web_free(api->web);
        free(api);
        return NULL;
    }
    api->wake_fd = -1;
    atomic_init(&api->stopping, false);
    pthread_mutex_init(&api->lock, NULL);
    pthread_condattr_init(&attr);
    pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
    pthread_cond_init(&api->gone, &attr);
    pthread_condattr_destroy(&attr);
    return api;
}

bool api_start(struct gateway *g, struct api **out, struct err *err)
{
    const struct config_runtime *cfg = gateway_config(g);
    struct api *api = make(g);
    int r;

    if (api == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "memory is out");
    if (cfg->admin.socket != NULL && cfg->admin.socket[0] != '\0' &&
        !bind_socket(api, cfg->admin.socket, err))
        goto out;
    if (cfg->admin.listen != NULL && cfg->admin.listen[0] != '\0' &&
        !bind_tcp(api, cfg->admin.listen, cfg->admin.ssl_certificate != NULL, err))
        goto out;
    api->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (api->wake_fd < 0) {
        FAIL(err, FAIL_LOCAL, 0, "eventfd: %m");
        goto out;
    }
    r = pthread_create(&api->acceptor, NULL, acceptor_run, api);
    if (r != 0) {
        FAIL(err, FAIL_LOCAL, 0, "start a thread: %s", strerror(r));
        goto out;
    }
    api->accepting = true;
    *out = api;
    api = NULL;
out:
    if (api == NULL)
        return true;
    api_stop(api);
    return false;
}

/* ---- stop ------------------------------------------------------------------------------- */

/* Under the lock. */
static void shut_all(struct api *api, int how)
{
    for (size_t i = 0; i < API_CONNECTIONS_MAX; i++)
        if (api->conns[i].used)
            (void)shutdown(api->conns[i].fd, how);
}

static void wait_conns(struct api *api)
{
    struct timespec until;

    clock_gettime(CLOCK_MONOTONIC, &until);
    until.tv_sec += API_STOP_MS / 1000;
    pthread_mutex_lock(&api->lock);
    shut_all(api, SHUT_RD); /* idle ones end here */
    while (api->running > 0 &&
           pthread_cond_timedwait(&api->gone, &api->lock, &until) != ETIMEDOUT)
        ;
    shut_all(api, SHUT_RDWR);
    while (api->running > 0)
        pthread_cond_wait(&api->gone, &api->lock);
    pthread_mutex_unlock(&api->lock);
}

void api_stop(struct api *api)
{
    const uint64_t one = 1;

    if (api == NULL)
        return;
    atomic_store(&api->stopping, true);
    if (api->accepting) {
        (void)!write(api->wake_fd, &one, sizeof(one));
        pthread_join(api->acceptor, NULL);
        wait_conns(api);
    }
    for (size_t i = 0; i < api->fds_n; i++)
        close(api->fds[i]);
    if (api->socket_path != NULL)
        (void)unlink(api->socket_path);
    free(api->socket_path);
    if (api->wake_fd >= 0)
        close(api->wake_fd);
    pthread_cond_destroy(&api->gone);
    pthread_mutex_destroy(&api->lock);
    api_logon_free(api->logon);
    api_web_free(api->web);
    free(api);
}

uint16_t api_port(const struct api *api)
{
    return api->port;
}
