/* An AS2 client that keeps its connection and posts plain messages with synchronous MDNs. */
#include "crowd.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

enum { AHEAD = 256 * 1024, HEAD_MAX = 8192 };

/* Something cheap that the server answers: so it is known to serve this connection. */
static void start(struct client *c)
{
    put_text(c, "HEAD %s HTTP/1.1\r\nHost: crowd\r\n\r\n", c->crowd->path);
}

static void more(struct client *c)
{
    static char octets[64 * 1024];

    if (octets[0] == '\0')
        memset(octets, 'A', sizeof(octets));
    while (c->left > 0 && c->out_n - c->out_at < AHEAD) {
        size_t part = c->left < sizeof(octets) ? (size_t)c->left : sizeof(octets);

        put(c, octets, part);
        c->left -= part;
    }
}

static void document(struct client *c)
{
    char code[32];

    code_of(c, code);
    put_text(c,
             "POST %s HTTP/1.1\r\nHost: crowd\r\nAS2-Version: 1.2\r\nAS2-From: %s\r\n"
             "AS2-To: %s\r\nMessage-ID: <%u-%u-%llx@crowd>\r\nMIME-Version: 1.0\r\n"
             "Content-Type: application/octet-stream\r\n"
             "Content-Disposition: attachment; filename=\"c\"\r\n"
             "Disposition-Notification-To: crowd\r\nContent-Length: %llu\r\n\r\n",
             c->crowd->path, code, c->crowd->own, c->number, c->documents++,
             (unsigned long long)now_us(), (unsigned long long)c->crowd->size);
    c->left = c->crowd->size;
    more(c);
}

/* The octets of the answer that begins at p, 0: not all there. no_body: it has no body. *status,
 * *good: an MDN that says processed. */
static size_t answer(const uint8_t *p, size_t n, bool no_body, int *status, bool *good)
{
    char head[HEAD_MAX];
    char *end, *length;
    size_t head_n, body;

    head_n = n < sizeof(head) - 1 ? n : sizeof(head) - 1;
    memcpy(head, p, head_n);
    head[head_n] = '\0';
    end = strstr(head, "\r\n\r\n");
    if (end == NULL)
        return 0;
    length = strcasestr(head, "\r\ncontent-length:");
    if (no_body || length == NULL || length > end)
        body = 0;
    else
        body = (size_t)strtoull(length + 17, NULL, 10);
    *status = atoi(head + 9);
    head_n = (size_t)(end - head) + 4;
    if (n < head_n + body)
        return 0;
    *good = *status == 200 && memmem(p + head_n, body, "; processed\r\n", 13) != NULL;
    return head_n + body;
}

static ptrdiff_t input(struct client *c, const uint8_t *p, size_t n)
{
    int status = 0;
    bool good = false;
    size_t used = answer(p, n, c->step == STEP_START, &status, &good);

    if (used == 0)
        return n < IN_CAP ? 0 : -1;
    if (status == 503 || status == 408) {
        refused(c, status, (const char *)p, used);
        return -1;
    }
    if (c->step == STEP_START) {
        ready(c);
    } else {
        if (!good)
            refused(c, status, (const char *)p, used);
        taken(c);
        settled(c, good);
        c->step = STEP_READY;
    }
    return (ptrdiff_t)used;
}

/* A head without end. */
static uint8_t drip(unsigned n)
{
    static const char head[] = "POST /as2 HTTP/1.1\r\nHost: crowd\r\n";
    static const char field[] = "X-Slow: 1\r\n";

    return (uint8_t)(n < sizeof(head) - 1
                         ? head[n]
                         : field[(n - (sizeof(head) - 1)) % (sizeof(field) - 1)]);
}

const struct protocol as2 = { input, start, document, more, drip };
