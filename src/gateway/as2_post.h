/* One request of ours, from its job: as2_post_message.c, as2_post_mdn.c. */
#ifndef WAYBILL_AS2_POST_H
#define WAYBILL_AS2_POST_H

#include "gateway/as2_int.h"

enum { POST_ANSWER_MAX = AS2_MDN_MAX, RETRY_AFTER_MAX_S = 3600 };

void post_message(struct gateway *g, const struct snapshot *sn, const struct job *j);
void post_mdn(struct gateway *g, const struct snapshot *sn, const struct job *j);
/* What waits to be posted to this partner need not wait for its time. */
void post_now(struct gateway *g, const struct partner *p);

/* What becomes of an attempt: the matrix of as2.md 6.3. */
enum post_verdict {
    POST_TAKEN, /* 2xx */
    POST_LATER, /* time may cure it */
    POST_NEVER, /* somebody has to change something */
};
struct post_outcome {
    enum post_verdict verdict;
    int64_t after_ms; /* POST_LATER: Retry-After, else 0 */
    char text[400];   /* "HTTP 503", "connection refused": for events */
};
/* .stop of a call; context: struct gateway. */
bool post_ending(void *context);
/* call is filled up with how this partner is reached. */
void post_reach(struct http_call *call, const struct snapshot *sn, const struct partner *p,
                struct gateway *g);
void post_judge(bool answered, const struct http_reply *reply, const struct err *err,
                struct post_outcome *out);
/* Header lines ("A: b\r\nC: d\r\n") as http_call wants them; NULL when memory is out. */
const char *const *post_header_list(const char *lines, struct arena *a);
/* With up to a fifth more or less, so that what failed together is not tried together. */
int64_t post_jitter(int64_t ms);

#endif
