/* A crowd of OFTP2 or AS2 clients on one thread: what crowd.c, crowd_oftp2.c and crowd_as2.c share. */
#ifndef CROWD_H
#define CROWD_H

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

enum { IN_CAP = 16 * 1024 };

/* How it went with one connection. */
enum step {
    STEP_CLOSED,     /* not open, or gone again              */
    STEP_CONNECTING, /* TCP                                  */
    STEP_HANDSHAKE,  /* TLS                                  */
    STEP_START,      /* the protocol's own start             */
    STEP_READY,      /* idle                                 */
    STEP_BUSY,       /* a document is under way              */
};

struct crowd;

struct client {
    struct crowd *crowd;
    unsigned number;
    int fd;
    enum step step;
    SSL *ssl;
    bool want_write;    /* EPOLLOUT is asked for */
    uint64_t begun_us;  /* connecting, or the document */
    uint64_t next_us;   /* of the next document, or of the next octet of a slow one */
    bool counted;       /* it was ready once */
    uint8_t in[IN_CAP]; /* what came and is not understood yet */
    size_t in_n;
    uint8_t *out; /* what has to go */
    size_t out_n, out_at, out_cap;
    /* OFTP2 */
    unsigned sdeb, credit, credit_left;
    uint64_t left;      /* octets of the document not yet in buffers */
    bool sending, mine; /* between SFPA and EFID; the turn is ours */
    /* both */
    unsigned documents;
};

struct protocol {
    /* A part of what came; returns octets used up, 0 when more are needed, -1: hang up. */
    ptrdiff_t (*input)(struct client *c, const uint8_t *p, size_t n);
    void (*start)(struct client *c);    /* TCP, or TLS, is there */
    void (*document)(struct client *c); /* sends one */
    void (*more)(struct client *c);     /* the output has gone */
    /* What a slow one sends, octet by octet; it never ends. */
    uint8_t (*drip)(unsigned n);
};

/* Times in microseconds, for percentiles. */
struct times {
    uint32_t *us;
    size_t n, cap;
};

struct crowd {
    const struct protocol *protocol;
    const char *host, *source, *code, *password, *own, *path;
    unsigned port, count, active, window, documents_max, slow_every_us, partners;
    uint64_t size, every_us, seconds, hold_us;
    const char *mode;
    bool tls;
    int epoll;
    SSL_CTX *ctx;
    struct client *clients;
    unsigned opening, ready, started;
    uint64_t opened, refused, failed, closed, documents, receipts, negative, octets;
    unsigned reasons[100]; /* OFTP2: of ESID */
    char said[200];        /* the first refusal, as it came */
    struct times accept, taken, settled;
};

extern const struct protocol oftp2, as2;

uint64_t now_us(void);
void times_add(struct times *t, uint64_t us);
/* Octets to send. */
void put(struct client *c, const void *p, size_t n);
/* Who this client is: the names are shared out among all. */
void code_of(const struct client *c, char text[32]);
void put_text(struct client *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* The connection is there as far as the protocol goes. */
void ready(struct client *c);
/* The other side has it in custody, and has given its receipt. */
void taken(struct client *c);
void settled(struct client *c, bool good);
/* The other side refuses in its own words. */
void refused(struct client *c, int reason, const char *words, size_t n);

#endif
