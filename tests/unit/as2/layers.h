/* Sealing and opening whole messages, for the tests of as2/seal.h and as2/open.h. */
#ifndef WAYBILL_TESTS_AS2_LAYERS_H
#define WAYBILL_TESTS_AS2_LAYERS_H

#include "../cms/support.h"

#include "as2/open.h"
#include "as2/seal.h"

/* The ten of as2.md 2.3, in its order. */
struct nesting {
    const char *name;
    bool encrypted, is_signed;
    enum as2_compress compress;
};
extern const struct nesting nestings[10];

/* Made by make_parties(): us, who open, and the partner, who signs. */
extern struct cms_signer us, partner, stranger;
int make_parties(void **state);
int free_parties(void **state);

/* An HTTP message: what describes its body, and the body. */
struct message {
    struct arena arena;
    struct mime_head head;
    struct bytes body;
    struct as2_mic mics[AS2_MICS_MAX];
    size_t mics_n;
};
void message_free(struct message *m);
/* "Name: value" lines, each ended by CRLF. */
struct message message_of(const char *head, struct span body);

/* Options for a nesting; the parts they point to are static and the same for each. */
struct as2_seal_options seal_options(const struct nesting *n);
/* Seals in steps of chunk and room octets; asserts success. */
struct message seal_message(const struct as2_seal_options *o, struct span content, size_t chunk,
                            size_t room);

enum { SEEN_MAX = 8 };

/* What came out of an opening. */
struct seen {
    struct {
        size_t index;
        char type[200], file_name[100], content_id[100];
        bool has_type, has_name, has_id;
        struct bytes octets;
    } payload[SEEN_MAX];
    size_t n;
    struct as2_opened opened;
    char mic_spelling[40];
    struct err err;
    bool ok;
    bool (*refuse)(const struct as2_payload *p, struct err *err); /* NULL: none is */
};
void seen_free(struct seen *s);

struct as2_open_options open_options(const struct message *m);
/* Pushes the body, chunk octets at a time. *seen: zeroed but for .refuse. */
void open_message(const struct as2_open_options *o, const struct message *m, size_t chunk,
                  struct seen *seen);
/* Asserts that it opens to one payload with this content. */
void expect_opened(const struct as2_open_options *o, const struct message *m, size_t chunk,
                   struct span content);
/* Asserts that it is refused with this fault, however it is pushed. */
void expect_fault(const struct as2_open_options *o, const struct message *m,
                  enum as2_fault fault);

/* base64 of a digest's value. */
void expect_mic(const struct as2_mic *mic, int nid, const char *base64);

#endif
