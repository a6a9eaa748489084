/* Handing one mail to a mail server by SMTP. */
#ifndef WAYBILL_MAIL_H
#define WAYBILL_MAIL_H

#include "base/err.h"
#include "base/span.h"

enum mail_tls { MAIL_TLS_REQUIRED, MAIL_TLS_OFFERED, MAIL_TLS_NEVER };

struct mail_call {
    const char *server;          /* "smtp://host:port", "smtps://..." */
    const char *user, *password; /* NULL: no log-on */
    enum mail_tls tls;           /* of smtp://; the server's certificate is verified */
    const char *ca_file;         /* PEM: by these authorities; NULL: the system's */
    const char *from;            /* plain addresses */
    const char *const *to;       /* ends with NULL */
    struct span message;         /* header and body, lines end with CR LF */
    uint64_t timeout_ms;
    /* Asked about once a second: true gives it up. NULL: never. */
    bool (*stop)(void *context);
    void *stop_context;
};

/* True: the server has taken it for everybody in `to`. FAIL_AGAIN with its words, or what is in the
 * way. */
MUST_CHECK bool mail_send(const struct mail_call *call, struct err *err);

#endif
