#include "scripted.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* False: the test ends. */
static bool pause_ms(const struct scripted *s, unsigned ms)
{
    struct pollfd p = { .fd = s->wake[0], .events = POLLIN };

    return ms == 0 || poll(&p, 1, (int)ms) == 0;
}

static bool say(struct conn *c, const char *text)
{
    struct err err;

    return text == NULL || conn_write(c, span_text(text), soon(), &err);
}

static bool next_waits(const struct scripted *s)
{
    struct pollfd p = { .fd = s->listener, .events = POLLIN };

    return poll(&p, 1, 0) > 0;
}

/* Waits for octets or the test's end; idle: or for another connection. */
static bool more(struct scripted *s, struct conn *c, bool idle, char *at, size_t cap, size_t *n)
{
    struct err err;

    for (;;) {
        if (conn_read(c, (struct room) { (uint8_t *)at, cap }, net_now_ms() + 20, n, &err))
            return *n > 0;
        if (err.wire != ETIMEDOUT || !pause_ms(s, 1) || (idle && next_waits(s)))
            return false;
    }
}

static bool read_request(struct scripted *s, struct conn *c, bool early)
{
    static char text[sizeof(s->request)];
    char trash[64 * 1024], tail[8] = "";
    const char *end = NULL, *length;
    size_t n = 0, got = 0, want = 0;

    while (end == NULL) {
        if (!more(s, c, n == 0, text + n, sizeof(text) - 1 - n, &got))
            return false;
        n += got;
        text[n] = '\0';
        if (text[0] == 0x16) { /* a ClientHello where none belongs */
            (void)say(c, "HTTP/1.1 400 This is no TLS\r\n\r\n");
            return false;
        }
        end = strstr(text, "\r\n\r\n");
    }
    length = strstr(text, "Content-Length: ");
    if (length != NULL && !early)
        want = (size_t)(end + 4 - text) + strtoul(length + 16, NULL, 10);
    if (strstr(text, "chunked") != NULL && !early)
        want = SIZE_MAX;
    memcpy(tail, text + n - 5, 5);
    while (n < want && !(want == SIZE_MAX && memcmp(tail, "0\r\n\r\n", 5) == 0)) {
        if (!more(s, c, false, trash, sizeof(trash), &got))
            return false;
        n += got;
        if (got >= 5)
            memcpy(tail, trash + got - 5, 5);
    }
    memcpy(s->request, text, sizeof(text));
    s->request_n = n;
    return true;
}

/* False: the connection is done with. */
static bool play(struct scripted *s, struct conn *c)
{
    const struct script_step *step;

    if (s->requests == s->steps_n)
        return false;
    step = &s->steps[s->requests];
    if (!read_request(s, c, step->early))
        return false;
    s->requests++;
    return pause_ms(s, step->wait_ms) && say(c, step->text) &&
           (step->after == NULL || (pause_ms(s, step->wait_ms) && say(c, step->after))) &&
           !step->close;
}

static void *run(void *context)
{
    struct scripted *s = context;
    struct conn *c = NULL;
    struct err err;
    size_t which;
    int fd = -1;

    while (net_accept(&s->listener, 1, s->wake[0], &fd, &which, &err) && fd >= 0) {
        s->connections++;
        if (!conn_accept(fd, s->tls, soon(), &c, &err))
            continue;
        X509_free(s->certificate);
        s->certificate =
            conn_peer_certificate(c) != NULL ? X509_dup(conn_peer_certificate(c)) : NULL;
        while (play(s, c))
            ;
        conn_close(c, net_now_ms() + 100);
    }
    return NULL;
}

void scripted_start(struct scripted *s, struct tls *tls, const struct script_step *steps,
                    size_t n)
{
    struct err err;

    *s = (struct scripted) { .steps = steps, .steps_n = n, .tls = tls };
    assert_int_equal(pipe(s->wake), 0);
    CHECK(net_listen("127.0.0.1", 0, &s->listener, &s->port, &err));
    (void)snprintf(s->url, sizeof(s->url), "%s://127.0.0.1:%u", tls != NULL ? "https" : "http",
                   (unsigned)s->port);
    assert_int_equal(pthread_create(&s->thread, NULL, run, s), 0);
}

void scripted_stop(struct scripted *s)
{
    assert_int_equal(write(s->wake[1], "x", 1), 1);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    close(s->listener);
    close(s->wake[0]);
    close(s->wake[1]);
    X509_free(s->certificate);
}
