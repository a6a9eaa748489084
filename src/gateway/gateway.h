/* The product: deployed listeners, OFTP2 sessions, delivery to processes, receipts, tracking.
 * What the admin API may ask for; every function may be called by any thread.
 * Failures: FAIL_LOCAL, with .wire as the HTTP status that fits (400 misuse, 404 unknown, 409 in
 * the wrong state, 422 refused with problems, 503 stopping), or 0 for 500. */
#ifndef WAYBILL_GATEWAY_H
#define WAYBILL_GATEWAY_H

#include "config/config.h"
#include "store/payload.h"
#include "store/store.h"

struct gateway;

/* Opens the store, recovers, deploys what was deployed, binds the endpoints, starts the threads.
 * rt is taken. The first failure (a port in use, a store held by another) is in *err. */
MUST_CHECK bool gateway_start(struct config_runtime *rt, struct gateway **out, struct err *err);
/* Lets running transfers go on up to the stop timeout, ends sessions with ESID(05), stops all
 * threads, closes the store and frees. */
void gateway_stop(struct gateway *g);
/* Reads the configuration file and certificates again: what can change without dropping a
 * connection does; a bad file changes nothing. Problems are added to *ps. *later: the settings in it
 * that are others than at the start and count from the next one, "a.b, c.d", in the arena; "": none. */
MUST_CHECK bool gateway_reload(struct gateway *g, struct config_problems *ps, struct arena *a,
                               const char **later, struct err *err);
/* The settings in force, as config_runtime_dump. */
char *gateway_settings(struct gateway *g);

struct store *gateway_store(struct gateway *g);
const struct config_runtime *gateway_config(const struct gateway *g);

struct gateway_endpoint {
    const char *protocol; /* "oftp2" */
    const char *host;
    uint16_t port; /* the real one */
    bool tls;
};
/* Given: in the arena. */
void gateway_endpoints(struct gateway *g, struct arena *a, struct gateway_endpoint **list,
                       size_t *n);

struct tls;
/* What admin.ssl_certificate gives today (tls_unref); NULL without one. 503: it cannot be used. */
MUST_CHECK bool gateway_admin_tls(struct gateway *g, struct tls **out, struct err *err);

/* ---- components ------------------------------------------------------------------------- */

struct gateway_applied {
    const char *kind, *name;
    int64_t version;
    bool unchanged;              /* the same text was deployed already: nothing was done */
    const char *const *warnings; /* what is probably not meant; NULL-ended, or NULL */
};
/* Checks all of yaml together with what is deployed, stores new versions of what changed and
 * makes them count, without touching sessions under way. dry_run: only the checks. Problems go
 * to *ps and nothing is applied (FAIL_LOCAL, 422). who: for the audit log. */
MUST_CHECK bool gateway_apply(struct gateway *g, struct span yaml, const char *file,
                              bool dry_run, const char *who, struct arena *a,
                              struct gateway_applied **list, size_t *n,
                              struct config_problems *ps, struct err *err);

/* What somebody who saw a version waits for; else 412, saying who saved or deleted it, and when. */
enum {
    GATEWAY_SOME_VERSION = -2, /* it is deployed */
    GATEWAY_ANY_VERSION = -1,  /* whatever it is */
};
struct gateway_put {
    const char *kind, *name;
    int64_t version; /* that is replaced; 0: there is none yet; or one of the above */
    const char *file;
    bool dry_run;
};
/* As gateway_apply, for a text that is this component and nothing else (422). Nobody else's change
 * comes between the look at the version and the new one. */
MUST_CHECK bool gateway_put_component(struct gateway *g, const struct gateway_put *put,
                                      struct span yaml, const char *who, struct arena *a,
                                      struct gateway_applied *out, struct config_problems *ps,
                                      struct err *err);
/* 409 with the names when others refer to it. version: as above. */
MUST_CHECK bool gateway_delete(struct gateway *g, const char *kind, const char *name,
                               int64_t version, const char *who, struct err *err);

struct gateway_listener {
    const char *name, *server;
    const char *state;  /* "listening", "paused", "errored" */
    const char *reason; /* why errored, "" otherwise */
    const char *from, *to;
    const char *from_name, *to_name; /* partner and identity component, "" when in place */
    int64_t version;
    uint64_t documents, failures; /* since the runtime started */
    int64_t last_ms;              /* last document; 0: none    */
    int64_t since_ms;             /* in this state; the start of the runtime at the earliest */
    /* What went wrong last: why it is errored, or a refusal or failure of a session, request or
     * document since the start. error_ms 0: nothing did. */
    const char *last_error;
    int64_t error_ms;
};
MUST_CHECK bool gateway_listeners(struct gateway *g, struct arena *a,
                                  struct gateway_listener **list, size_t *n, struct err *err);
/* what: "pause", "resume", "restart" (checks again; takes an errored one up when it can). */
MUST_CHECK bool gateway_listener_do(struct gateway *g, const char *name, const char *what,
                                    const char *who, struct err *err);

/* ---- certificates ----------------------------------------------------------------------- */

/* One certificate of a component. */
struct gateway_certificate {
    const char *name; /* of the component */
    unsigned number;  /* 1 the component's own, then those of `also` */
    const char *subject, *issuer, *serial, *sha256; /* "" when it cannot be read */
    int64_t from_s, to_s;                           /* validity, 0 when it cannot be read */
    int days_left;
    const char *state;   /* "ok", "expires" (30 days), "expired", "revoked", "not yet valid",
                          "unusable" */
    const char *problem; /* why it is not used, "" otherwise */
    bool has_key;
    const char *place; /* of the key, without one of itself: "store", "file" */
    const char *const *users;
    size_t users_n;
    int64_t crl_next_s; /* when the component's first revocation list is over; 0: not known */
    bool crl_overdue;
};
/* By name and number. Given: in the arena. */
MUST_CHECK bool gateway_certificates(struct gateway *g, struct arena *a,
                                     struct gateway_certificate **list, size_t *n,
                                     struct err *err);

struct gateway_import {
    const char *name;
    struct span certificate, key; /* pki_any_read */
    const char *password;         /* of the key or PKCS#12 file; NULL: none */
    bool next; /* beside those the component has, instead of in the place of its own */
};
struct gateway_imported {
    int64_t version;
    bool unchanged, has_key;
    const char *subject, *sha256;
    int days_left;
    const char *problem; /* why it is not used all the same, "" otherwise */
};
/* Makes or changes the component; its private key goes into the store sealed. As gateway_apply. */
MUST_CHECK bool gateway_certificate_import(struct gateway *g, const struct gateway_import *what,
                                           const char *who, struct arena *a,
                                           struct gateway_imported *out,
                                           struct config_problems *ps, struct err *err);

struct gateway_export {
    const char *name;
    unsigned number; /* 0: the one that signs today */
    bool chain;
    bool key, pkcs12;     /* with the private key: PKCS#8 beside the PEM, or all in PKCS#12 */
    const char *password; /* what it is encrypted with */
};
struct gateway_exported {
    char *pem, *key;
    uint8_t *pkcs12;
    size_t pkcs12_n;
};
/* A private key that leaves is in the audit log before it does. Given: gateway_exported_free. */
MUST_CHECK bool gateway_certificate_export(struct gateway *g, const struct gateway_export *what,
                                           const char *who, struct gateway_exported *out,
                                           struct err *err);
void gateway_exported_free(struct gateway_exported *x);

/* ---- documents -------------------------------------------------------------------------- */

struct gateway_send {
    const char *partner;  /* component name */
    const char *protocol; /* "oftp2", "as2"; NULL: the one the partner has, OFTP2 before AS2 */
    const char *content_type, *subject; /* AS2; NULL: the partner's send settings */
    const char *identity;    /* NULL: the partner's default, or the only identity there is */
    const char *destination; /* SFIDDEST, for somebody behind the partner; NULL: the partner */
    const char *name;        /* SFIDDSN; made legal when it is not; NULL: from file_name */
    const char *file_name;   /* for SFIDDESC when description is NULL */
    const char *description;
    char format; /* 'U' (default when 0), 'T', 'F', 'V' */
    uint32_t record_length;
    const char
        *record_delimiter; /* V: "lf" (default) or "crlf"; F: "none" (default), "lf", "crlf" */
    const char *listener;  /* who asks: "command", "api", a process name */
    const char *who;       /* for the audit log; NULL: nobody in person */
    int64_t source_document;     /* the document a send step came from; 0: none */
    const char *idempotency_key; /* the same key again gives the same document; NULL: none */
    const char *former_key;      /* what an earlier version called it; NULL: nothing else */
    bool certificate; /* certificate exchange: unprotected, name and description as they are */
    const struct document *again; /* what is sent again (gateway_resend); NULL: nothing is */
};
struct gateway_outgoing; /* a document coming in to be sent */
MUST_CHECK bool gateway_send_begin(struct gateway *g, const struct gateway_send *what,
                                   struct gateway_outgoing **out, struct err *err);
MUST_CHECK bool gateway_send_octets(struct gateway_outgoing *o, struct span octets,
                                    struct err *err);
/* Commits: from here on it will be sent. */
MUST_CHECK bool gateway_send_commit(struct gateway_outgoing *o, int64_t *document_id,
                                    struct err *err);
void gateway_send_free(struct gateway_outgoing *o); /* drops what was not committed */

/* Certificate exchange: sends our certificates of this component (NULL: all that the partner's
 * identity has) as files. what: "deliver", "replace" or "request", which sends one. ids: of the
 * documents queued, in the arena. */
MUST_CHECK bool gateway_exchange(struct gateway *g, const char *partner, const char *what,
                                 const char *certificate, const char *who, struct arena *a,
                                 int64_t **ids, size_t *n, struct err *err);

/* Makes the certificate component `name` of the authorities in a trust service status list, or
 * renews it. signer: certificate component of whoever must have signed it; NULL: as before. A list
 * with a lower number than the one in use, of another signer, or whose signature is not good, is
 * refused (422) and changes nothing. *text: what it is, in the arena. */
MUST_CHECK bool gateway_trust_list(struct gateway *g, const char *name, const char *signer,
                                   struct span xml, const char *who, struct arena *a,
                                   int64_t *version, const char **text, struct err *err);

/* Runs a failed document again: inbound from the step that failed; outbound: queues it. */
MUST_CHECK bool gateway_retry(struct gateway *g, int64_t document_id, const char *who,
                              struct err *err);
/* Sends an outbound document that came to an end (acknowledged, rejected, overdue, failed) once
 * more, as a new document with the same octets, name and partner, protected as the partner is
 * configured now. Both say so. key: the same one again gives the same new document; NULL: none. 409
 * while the one before it is under way, or when retention removed the octets. */
MUST_CHECK bool gateway_resend(struct gateway *g, int64_t document_id, const char *key,
                               const char *who, int64_t *new_id, struct err *err);
/* Runs all steps of the process for an inbound document that was processed; no receipt is sent
 * again. The execution is `redelivered`. */
MUST_CHECK bool gateway_reprocess(struct gateway *g, int64_t document_id, const char *who,
                                  struct err *err);
/* acknowledge: manual -- releases the receipt: EERP, or NERP with text when positive is false. */
MUST_CHECK bool gateway_acknowledge(struct gateway *g, int64_t document_id, bool positive,
                                    const char *text, const char *who, struct err *err);
/* Takes an outbound document that was not sent yet out of the queue (state failed), or gives a
 * failed one up, so that retention may remove it. */
MUST_CHECK bool gateway_cancel(struct gateway *g, int64_t document_id, const char *who,
                               struct err *err);

/* The role of the opened payload: 'o', or 'r' when the opened form is the raw one. */
char document_opened_role(const struct document *d);

/* ---- sessions --------------------------------------------------------------------------- */

/* An OFTP2 session, or an AS2 request that carries a message. */
struct gateway_session {
    int64_t id;
    const char *protocol; /* "oftp2", "as2" */
    const char *partner, *peer_code, *address, *state, *tls;
    bool initiator;
    int64_t since_ms;
    int64_t document_id;  /* the file under way; 0 none */
    uint64_t done, total; /* octets of that file; total 0: not known */
    uint64_t octets_in, octets_out;
};
MUST_CHECK bool gateway_sessions(struct gateway *g, struct arena *a,
                                 struct gateway_session **list, size_t *n, struct err *err);

/* Calls a partner now, whatever its schedule says, and posts what waits to be posted to it; returns
 * at once. */
MUST_CHECK bool gateway_call(struct gateway *g, const char *partner, struct err *err);
/* When a partner is called again after calls that failed, by the clock on the wall; 0: nothing holds
 * a call up. own, peer: ODETTE IDs, as jobs have them. */
int64_t gateway_next_call(struct gateway *g, const char *own, const char *peer);

struct gateway_test_step {
    const char *step; /* "resolve and connect", "TLS", "log on", "end" */
    bool ok;
    const char *text;
    uint64_t ms;
};
struct gateway_test {
    bool ok;
    struct gateway_test_step *steps;
    size_t steps_n;
    const char **trace; /* decoded commands */
    size_t trace_n;
};
/* Connects, does TLS, logs on, says what was found, ends. Waits for the outcome. */
MUST_CHECK bool gateway_test_partner(struct gateway *g, const char *partner, struct arena *a,
                                     struct gateway_test *result, struct err *err);

/* Decoded commands of the sessions with one partner (component name or ODETTE ID, or "*"),
 * from now on. */
struct gateway_trace;
/* session: only those of one that is under way (404), 0: of all. */
MUST_CHECK bool gateway_trace_open(struct gateway *g, const char *partner, int64_t session,
                                   struct gateway_trace **out, struct err *err);
/* The next line, waiting up to wait_ms; "" when none came; false when the runtime stops. The
 * line lives until the next call. */
bool gateway_trace_next(struct gateway_trace *t, uint64_t wait_ms, const char **line);
void gateway_trace_close(struct gateway_trace *t);

/* store_make_backup, told in the log and the audit. directory: absolute. */
struct store_backup;
MUST_CHECK bool gateway_backup(struct gateway *g, const char *directory, const char *who,
                               struct store_backup *out, struct err *err);

/* A test alert on each channel there is. 409: there is none. Waits for the outcomes. */
enum { GATEWAY_ALERT_CHANNELS = 2 };
struct gateway_alert_try {
    const char *channel; /* "webhook", "mail" */
    bool ok;
    const char *error; /* NULL: it was taken */
};
MUST_CHECK bool gateway_alert_test(struct gateway *g, const char *who, struct arena *a,
                                   struct gateway_alert_try tries[GATEWAY_ALERT_CHANNELS],
                                   size_t *n, struct err *err);

/* Counters since start, for /metrics: name and value pairs in Prometheus form, in the arena. */
MUST_CHECK bool gateway_metrics(struct gateway *g, struct arena *a, const char **text,
                                struct err *err);
bool gateway_ready(struct gateway *g);
/* Asks the process to stop, as SIGTERM does. */
void gateway_request_stop(struct gateway *g);
/* Becomes true by gateway_request_stop. */
bool gateway_stop_requested(struct gateway *g);

#endif
