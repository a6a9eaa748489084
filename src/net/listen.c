#include "net/net.h"

#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

enum { FDS_MAX = 64 }; /* listening sockets waited for at a time */

static void set_one(int fd, int level, int option)
{
    int one = 1;

    (void)setsockopt(fd, level, option, &one, sizeof(one));
}

static bool listen_at(const struct addrinfo *ai, const char *host, int *out, struct err *err)
{
    int zero = 0;
    int fd = socket(ai->ai_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    if (fd < 0)
        return FAIL(err, FAIL_LOCAL, errno, "socket: %s", strerror(errno));
    set_one(fd, SOL_SOCKET, SO_REUSEADDR); /* old connections shall not keep us from starting */
    if (ai->ai_family == AF_INET6) {
        if (strcmp(host, "::") == 0)
            (void)setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &zero, sizeof(zero));
        else
            set_one(fd, IPPROTO_IPV6, IPV6_V6ONLY);
    }
    if (bind(fd, ai->ai_addr, ai->ai_addrlen) != 0 || listen(fd, SOMAXCONN) != 0) {
        int e = errno;

        close(fd);
        return FAIL(err, FAIL_LOCAL, e, "%s%s", strerror(e),
                    e == EADDRINUSE ? ": another program listens there; set another port"
                    : e == EACCES   ? ": ports below 1024 need the right to bind them"
                                    : "");
    }
    *out = fd;
    return true;
}

static bool port_of(int fd, uint16_t *port, struct err *err)
{
    union {
        struct sockaddr sa;
        struct sockaddr_in in;
        struct sockaddr_in6 in6;
    } a;
    socklen_t len = sizeof(a);

    if (getsockname(fd, &a.sa, &len) != 0)
        return FAIL(err, FAIL_LOCAL, errno, "getsockname: %s", strerror(errno));
    *port = ntohs(a.sa.sa_family == AF_INET6 ? a.in6.sin6_port : a.in.sin_port);
    return true;
}

bool net_listen(const char *host, uint16_t port, int *fd, uint16_t *port_out, struct err *err)
{
    struct addrinfo hints = { .ai_flags = AI_PASSIVE | AI_NUMERICSERV,
                              .ai_socktype = SOCK_STREAM };
    struct addrinfo *list = NULL;
    char service[8];
    int s = -1, e;
    bool ok = false;

    if (host == NULL || host[0] == '\0')
        host = "::";
    (void)snprintf(service, sizeof(service), "%u", (unsigned)port);
    e = getaddrinfo(host, service, &hints, &list);
    if (e != 0)
        return FAIL(err, FAIL_LOCAL, 0, "listen on '%s' port %u: %s", host, (unsigned)port,
                    gai_strerror(e));
    for (const struct addrinfo *ai = list; ai != NULL && !ok; ai = ai->ai_next)
        ok = listen_at(ai, host, &s, err);
    freeaddrinfo(list);
    if (!ok && strcmp(host, "::") == 0 && err->wire == EAFNOSUPPORT)
        return net_listen("0.0.0.0", port, fd, port_out, err); /* a machine without IPv6 */
    if (!ok)
        return err_context(err, "listen on '%s' port %u", host, (unsigned)port);
    if (!port_of(s, port_out, err)) {
        close(s);
        return false;
    }
    *fd = s;
    return true;
}

/* Removes a socket nobody listens on. Anything else of that name stays. */
static bool clear_path(const struct sockaddr_un *sun, struct err *err)
{
    struct stat st;
    int fd, e = 0;

    if (lstat(sun->sun_path, &st) != 0)
        return true;
    if (!S_ISSOCK(st.st_mode))
        return FAIL(err, FAIL_LOCAL, EEXIST, "it exists and is no socket");
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return FAIL(err, FAIL_LOCAL, errno, "socket: %s", strerror(errno));
    if (connect(fd, (const struct sockaddr *)sun, sizeof(*sun)) != 0)
        e = errno;
    close(fd);
    if (e != ECONNREFUSED)
        return FAIL(err, FAIL_LOCAL, EADDRINUSE,
                    "another program listens there; is this one running already?");
    if (unlink(sun->sun_path) != 0 && errno != ENOENT)
        return FAIL(err, FAIL_LOCAL, errno, "remove the old socket: %s", strerror(errno));
    return true;
}

bool net_listen_unix(const char *path, int *fd, struct err *err)
{
    struct sockaddr_un sun = { .sun_family = AF_UNIX };
    int s;

    if (!text_copy(sun.sun_path, sizeof(sun.sun_path), path))
        return FAIL(err, FAIL_LOCAL, ENAMETOOLONG,
                    "listen on '%s': a socket's path has at most %zu octets; set another one",
                    path, sizeof(sun.sun_path) - 1);
    if (!clear_path(&sun, err))
        return err_context(err, "listen on '%s'", path);
    s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (s < 0)
        return FAIL(err, FAIL_LOCAL, errno, "socket: %s", strerror(errno));
    /* Linux gives the file the socket's mode: so there is no moment when others may connect,
     * and no need for umask, which all threads share. */
    if (fchmod(s, S_IRUSR | S_IWUSR) != 0 ||
        bind(s, (const struct sockaddr *)&sun, sizeof(sun)) != 0 ||
        chmod(path, S_IRUSR | S_IWUSR) != 0 || listen(s, SOMAXCONN) != 0) {
        FAIL(err, FAIL_LOCAL, errno, "listen on '%s': %s", path, strerror(errno));
        close(s);
        return false;
    }
    *fd = s;
    return true;
}

static bool accept_one(int listener, int *fd, struct err *err)
{
    int s = accept4(listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

    *fd = -1;
    if (s >= 0) {
        *fd = s;
        return true;
    }
    if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM)
        return FAIL(err, FAIL_LOCAL, errno, "accept: %s; raise the limit of open files",
                    strerror(errno));
    if (errno == EBADF || errno == EINVAL || errno == ENOTSOCK)
        return FAIL(err, FAIL_LOCAL, errno, "accept: %s", strerror(errno));
    return true; /* the client has gone again, or its network has: not our trouble */
}

bool net_accept(const int *fds, size_t n, int wake_fd, int *fd, size_t *which, struct err *err)
{
    static _Thread_local size_t turn; /* so that a busy socket does not starve the others */
    struct pollfd p[FDS_MAX + 1];

    if (n > FDS_MAX)
        return FAIL(err, FAIL_LOCAL, 0, "more than %d listening sockets", (int)FDS_MAX);
    for (size_t i = 0; i < n; i++)
        p[i] = (struct pollfd) { .fd = fds[i], .events = POLLIN };
    p[n] = (struct pollfd) { .fd = wake_fd, .events = POLLIN };
    while (poll(p, (nfds_t)n + 1, -1) < 0) {
        if (errno != EINTR)
            return FAIL(err, FAIL_LOCAL, errno, "poll: %s", strerror(errno));
    }
    *fd = -1;
    if (p[n].revents != 0)
        return true;
    turn++;
    for (size_t i = 0; i < n; i++) {
        size_t at = (turn + i) % n;

        if (p[at].revents == 0)
            continue;
        *which = at;
        return accept_one(fds[at], fd, err);
    }
    return true;
}
