/* The runtime's settings (waybill.yaml) and the components (certificate, identity, partner,
 * process), read from YAML by one table of rows per mapping: name, type, default, limits, help.
 * The same rows make the checks, `waybill dump` and docs/configuration.md. Whatever is wrong is
 * reported with file, line and column; nothing is applied then.
 *
 * A loaded configuration is never changed and may be shared by threads. */
#ifndef WAYBILL_CONFIG_H
#define WAYBILL_CONFIG_H

#include "base/arena.h"
#include "base/err.h"
#include "base/span.h"

enum {
    CONFIG_TEXT_MAX = 4 * 1024 * 1024, /* octets of one YAML text */
    CONFIG_DEPTH_MAX = 32,             /* nested nodes            */
    CONFIG_ALSO_MAX = 20,              /* certificates under `also` */
};

/* One finding. Positions count from 1; 0: not known. */
struct config_problem {
    const char *file;
    unsigned line, column;
    const char *text; /* says what is wrong and what to do */
    struct config_problem *next;
};

struct config_problems {
    struct arena arena;
    struct config_problem *first, *last;
    size_t n;
};
void config_problem_add(struct config_problems *ps, const char *file, unsigned line,
                        unsigned column, const char *fmt, ...)
    __attribute__((format(printf, 5, 6)));
/* "file:3:7: text" into text[cap]. */
void config_problem_line(const struct config_problem *p, char *text, size_t cap);
void config_problems_free(struct config_problems *ps);

/* Where a value stands, for checks that come later. */
struct config_at {
    unsigned line, column;
};
struct config_place; /* where each value stood; for config_check */

/* A secret: given in place, or the name of a file in the secrets directory. */
struct config_secret {
    const char *value; /* in place, else NULL    */
    const char *name;  /* {secret: name}, else NULL */
    struct config_at at;
};

/* ---- waybill.yaml ---------------------------------------------------------------------- */

struct config_oftp2_endpoint {
    const char *host; /* default "::" (IPv4 too) */
    uint16_t port;    /* 0: the system picks (tests) */
    bool session_level_encryption;
    const char *server_ssl_certificate; /* name of a certificate component */
    bool require_client_ssl;
    /* certificate component with the authorities of client certificates */
    const char *trusted_certificates;
    struct config_at at;
};

struct config_oftp2_server {
    struct config_oftp2_endpoint *endpoints;
    size_t endpoints_n;
    const char *cipher_suite; /* default AES_RSA_SHA256; config_cipher_suite */
    bool require_secure_authentication;
    uint32_t buffer_size;                 /* SSIDSDEB, default 99999, 128..99999 */
    uint32_t credit;                      /* SSIDCRED, default 999, 1..999       */
    bool compression;                     /* buffer compression, default false   */
    bool restart;                         /* default true                        */
    uint32_t max_connections;             /* default 1000 */
    uint32_t max_connections_per_address; /* default 100  */
    uint32_t max_sessions_per_partner;    /* default 10   */
    uint64_t start_timeout_ms;            /* default 60s  */
    uint64_t inactivity_timeout_ms;       /* default 180s */
    uint64_t end_file_timeout_ms;         /* default 360s */
    uint64_t disconnect_timeout_ms;       /* default 10s  */
    uint64_t max_file_size;               /* octets, default 0: none */
    uint64_t duplicate_memory_ms;         /* default 30d  */
    uint64_t partial_memory_ms;           /* default 7d   */
};

struct config_as2_endpoint {
    const char *host; /* default "::" (IPv4 too) */
    uint16_t port;    /* 0: the system picks (tests) */
    bool ssl;
    const char *ssl_certificate;      /* name of our certificate component */
    bool require_client_ssl;          /* default false; one that is shown is always asked for */
    const char *trusted_certificates; /* authorities of client certificates; NULL: any is
                                         taken and compared with the operation's */
    struct config_at at;
};

struct config_as2_server {
    const char *path; /* default "/as2" */
    struct config_as2_endpoint *endpoints;
    size_t endpoints_n;
    const char *mdn_url;      /* our own URL, where partners send asynchronous MDNs */
    const char *domain;       /* right side of our Message-IDs; default runtime.name */
    const char *product;      /* User-Agent, Server, Reporting-UA; default "Waybill" */
    uint32_t max_connections; /* default 1000 */
    uint32_t max_connections_per_address; /* default 100 */
    uint64_t header_timeout_ms;           /* default 30s */
    uint64_t idle_timeout_ms;             /* default 60s: within a body, and between requests */
    uint32_t min_octets_per_second;       /* default 1024, averaged over a minute; 0: none */
    uint64_t max_message_size;            /* octets of a body; default 0: none */
    uint64_t sync_wait_ms;          /* default 30s: how long a duplicate waits for the first */
    uint64_t duplicate_memory_ms;   /* default 30d: for the keys of messages */
    bool answer_unknown;            /* default false: 403; true: unsigned negative MDN */
    uint32_t senders;               /* threads that post messages and MDNs, default 8, 1..64 */
    uint64_t mdn_retry_first_ms;    /* default 1m: and a multiple of it from then on */
    uint64_t mdn_retry_for_ms;      /* default 24h */
    uint32_t max_posts_per_partner; /* default 4 */
};

/* How long what is done is kept; 0: for ever, of a process: as the runtime's. */
struct config_kept {
    uint64_t documents_ms, payloads_ms;
};
struct config_retention {
    struct config_kept settled, failed;
};

struct config_alerts {
    const char *const *on; /* "listener_errored", ...; ends with NULL. NULL: all */
    uint64_t gather_ms, retry_ms, repeat_ms; /* default 60s, 10s, 24h */
    bool given, webhook_given, mail_given;
    struct {
        const char *url;
        struct config_secret authorization;
        uint64_t timeout_ms; /* default 30s */
    } webhook;
    struct {
        const char *server;  /* "smtp://mail.example.com:587" */
        const char *tls;     /* "required" (default), "offered", "never" */
        const char *ca_file; /* NULL: the system's authorities */
        const char *user;    /* NULL: none */
        struct config_secret password;
        const char *from;
        const char *const *to; /* ends with NULL */
        uint64_t timeout_ms;   /* default 60s */
    } mail;
};

struct config_runtime {
    struct arena arena;
    const char *file; /* the path it was read from */
    struct {
        const char *name;
        const char *data_directory;
        const char *secrets_directory; /* default <data_directory>/secrets */
        const char *key_file;          /* default <data_directory>/keys/store.key */
        uint64_t crl_check_ms;    /* default 60s: how often revocation lists are looked at */
        uint32_t workers;         /* default 4, 1..64  */
        uint64_t stop_timeout_ms; /* default 30s: how long SIGTERM lets transfers go on */
        bool sandbox;             /* default true */
    } runtime;
    const char *store; /* "sqlite" */
    struct config_oftp2_server oftp2_server;
    struct {
        const char *listen;          /* "127.0.0.1:8090"; "" none; port 0: the system picks */
        const char *ssl_certificate; /* component; NULL: without TLS, on loopback only */
        const char *socket;          /* default <data_directory>/admin.sock */
    } admin;
    struct {
        const char *level;  /* "error", "warn", "info" (default), "debug" */
        const char *format; /* "text" (default), "json" */
    } log;
    struct {
        struct config_kept settled, failed;
        uint64_t receipts_ms; /* those that match no document */
        uint64_t audit_ms;
        uint64_t every_ms; /* default 10m */
    } retention;
    struct config_alerts alerts;
    struct config_as2_server as2_server;
    bool as2_server_given; /* without it nothing listens; sending works all the same */
    const struct config_place *places;
};

/* Given: config_runtime_free. NULL when there are problems (added to *ps). */
struct config_runtime *config_runtime_load(const char *path, struct config_problems *ps);
struct config_runtime *config_runtime_parse(struct span yaml, const char *file,
                                            struct config_problems *ps);
void config_runtime_free(struct config_runtime *c);

/* ---- components ------------------------------------------------------------------------ */

enum config_kind { CONFIG_CERTIFICATE, CONFIG_IDENTITY, CONFIG_PARTNER, CONFIG_PROCESS };
const char *config_kind_name(enum config_kind kind); /* "certificate" ... */
bool config_kind_of(const char *name, enum config_kind *kind);

/* An older or newer certificate of the same purpose. Members as in struct config_certificate. */
struct config_certificate_also {
    const char *pem, *file, *key_file, *pkcs12_file, *sealed_key;
    struct config_secret key_password, pkcs12_password;
    struct config_at at;
};

/* All valid ones are accepted, the first valid one signs, the newest valid one encrypts. */
struct config_certificate {
    const char *pem;                   /* text in place, or ...                       */
    const char *file;                  /* ... path of a PEM or DER file, or ...       */
    const char *key_file;              /* path of the PEM private key, NULL: none     */
    struct config_secret key_password; /* of key_file; neither: it is not encrypted */
    const char *pkcs12_file;           /* ... path of certificate and key in PKCS#12 */
    struct config_secret pkcs12_password;
    const char *sealed_key; /* the private key, encrypted: pki_key_open; NULL: none */
    const char *crl_file;   /* path of revocation lists, PEM or DER; NULL: none */
    bool crl_strict;        /* an overdue list makes unusable what it is of */
    const char *trust;      /* certificate component it must come from; NULL: it is pinned */
    /* made from a trust list: its number, who signed it, until when it counts; NULL: it is not */
    const char *trust_list_sequence, *trust_list_signer, *trust_list_until;
    const char *issued_to; /* pattern for subjects of what it issued; NULL: only itself */
    struct config_certificate_also *also;
    size_t also_n;
};

struct config_oftp2_party { /* in an identity, a partner, or an operation's from and to */
    const char *odette_id;
    struct config_secret password;
    bool password_any; /* password: {any: true}  -- do not check */
    /* names of certificate components; those of ours have their key */
    const char *acknowledgment_verification_certificate;
    const char *signature_verification_certificate;
    const char *session_authentication_encrypting_certificate;
    const char *client_ssl_certificate;
    const char *decryption_certificate;
    const char *acknowledgment_signing_certificate;
    const char *session_authentication_challenge_certificate;
    const char
        *encryption_certificate;     /* partner component only: files for it are encrypted to */
    const char *signing_certificate; /* identity component only: signs the files we send      */
    const char *const *via; /* NULL-ended: ODETTE IDs that may relay files of this origin */
    struct config_at at;
};

struct config_as2_party { /* in an identity, a partner, or an operation's from and to */
    const char *as2_id;
    bool allow_blanks;
    /* theirs (partner, from), names of certificate components */
    const char
        *signing_certificate; /* verifies their messages and MDNs; ours: signs messages */
    const char
        *client_ssl_certificate; /* what their TLS client must show; NULL: not asked for   */
    const char *username;        /* HTTP Basic they must show; NULL: none */
    struct config_secret password;
    const char *encryption_certificate; /* partner component only */
    const char *const *ip_filter; /* NULL-ended: addresses, ranges a-b, CIDR, patterns with '*';
                                     NULL: not given, all pass; empty: none passes */
    /* ours (identity, to), with keys */
    const char *decryption_certificate;
    const char *mdn_signing_certificate;
    struct config_at at;
};

struct config_identity {
    struct config_oftp2_party oftp2;
    bool has_oftp2;
    struct config_as2_party as2;
    bool has_as2;
};

enum config_mdn { MDN_NONE, MDN_SYNC, MDN_ASYNC };
enum config_mdn_url { MDN_URL_PARTNER_HOST, MDN_URL_CONFIGURED, MDN_URL_ANY_PUBLIC };
enum config_file_names { FILE_NAMES_IGNORE, FILE_NAMES_PRESERVE, FILE_NAMES_REJECT };

/* partner.as2: how messages for it leave us, and what else holds for it both ways. */
struct config_as2_partner {
    const char *url;     /* http or https, with query; NULL: nothing is sent to it */
    const char *mdn_url; /* where its asynchronous MDNs go; NULL: see mdn_delivery  */
    const char *server_ssl_certificate; /* pinned leaf or authority; NULL: system authorities */
    bool verify_host_name;              /* default true */
    const char *client_certificate;     /* ours, with key, shown as TLS client; NULL: none */
    const char *username;               /* HTTP Basic we show; NULL: none */
    struct config_secret password;
    const char *mdn_username; /* the same for its MDN URL */
    struct config_secret mdn_password;
    const char *proxy;    /* URL; NULL: none */
    const char *identity; /* ours for sends; may be NULL */
    struct {
        bool is_signed, encrypted; /* default true */
        const char *signature;     /* "multipart" (default), "opaque" */
        const char *compressed;    /* "no" (default), "before_signing", "after_signing" */
        const char *digest;        /* SHA1 SHA224 SHA256 (default) SHA384 SHA512 */
        const char *cipher;  /* 3DES AES128 AES192 AES256 (default) AES128_GCM .. AES256_GCM */
        const char *padding; /* "pkcs1" (default), "pss_oaep" */
        bool legacy_names;   /* RFC 3851 micalg names, default false */
        bool signed_attributes;           /* default true */
        const char *include_certificates; /* "none", "leaf" (default), "chain" */
        const char *content_type;         /* default application/octet-stream */
        const char *subject;              /* template, default "{{document.name}}" */
        bool file_name;                   /* send it, default true */
        bool base64;                      /* Content-Transfer-Encoding base64, default false */
        bool chunked;                     /* default false */
        enum config_mdn mdn;              /* default MDN_SYNC */
        bool signed_mdn;                  /* default true */
        const char *version;              /* AS2-Version "1.0" "1.1" "1.2" (default) */
    } send;
    uint64_t retry_first_ms, retry_max_ms; /* default 1m, 60m */
    uint32_t retry_attempts;               /* default 12; 0: no limit */
    uint64_t receipt_timeout_ms;           /* asynchronous MDN: resent after; default 60m */
    uint32_t receipt_resends;              /* default 3; then overdue */
    uint64_t connect_timeout_ms;           /* default 30s */
    uint64_t answer_timeout_ms;            /* default 300s, and 60s for each 100 MiB */
    bool accept_unsigned_receipts;         /* default false */
    bool tolerate_trailing_crlf;           /* default false */
};

/* start.operation of listen: as2-server. */
struct config_as2_operation {
    struct config_as2_party from, to; /* in place; as2_id NULL when referred to */
    struct {
        bool enabled;    /* default true */
        uint32_t number; /* messages remembered, 100..1,000,000, default 100,000; 0 with days */
        uint32_t days;   /* or days; 0 with number */
    } reject_duplicates;
    bool legacy_names;                           /* RFC 3851 names in our MDNs, default false */
    const char *const *digests, *const *ciphers; /* NULL-ended names allowed; NULL: defaults */
    const char *minimum_digest; /* NULL: none; weaker is insufficient-message-security */
    bool mic_by_list;           /* mic_algorithm: list; default signature */
    const char *mic_default;    /* digest for unsigned messages without list, default SHA1 */
    enum config_mdn_url mdn_delivery; /* default partner-host */
    const char *mdn_url;         /* configured URL for this operation; NULL: the partner's */
    bool uniform_errors;         /* every failure behind CBC says decryption-failed */
    uint32_t expired_grace_days; /* default 0, 0..90 */
    enum config_file_names file_names; /* default preserve */
    bool headerless;                   /* encrypted content without MIME headers is taken */
};

/* A folder whose files are sent to the partner. */
struct config_outbox {
    const char *directory;
    const char *const *names; /* NULL-ended patterns; NULL: all */
    uint64_t settle_ms;       /* unchanged for so long, default 5s; 0: taken at once */
    uint64_t scan_ms;         /* default 10s */
    const char *done;         /* "remove" (default), "move" */
    /* as in struct gateway_send; NULL and 0: its defaults */
    const char *protocol, *identity, *name, *destination, *format, *record_delimiter,
        *description, *content_type, *subject;
    uint32_t record_length;
    struct config_at at;
};

struct config_partner {
    struct config_outbox *outbox;
    size_t outbox_n;
    struct config_oftp2_party oftp2;
    bool has_oftp2;
    struct config_as2_party as2;
    struct config_as2_partner as2_out;
    bool has_as2;
    /* where and how to call it; host NULL: it calls us */
    const char *host;
    uint16_t port; /* default 3305, or 6619 with encryption */
    bool session_level_encryption;
    /* what the partner's server must show or be issued by; NULL: system authorities */
    const char *server_ssl_certificate;
    bool verify_host_name; /* default true */
    /* ours, with key: what we show as TLS client */
    const char *client_certificate;
    const char *identity; /* default identity for calls and sends; may be NULL */
    uint64_t poll_ms;     /* 0: no polling */
    uint64_t retry_first_ms, retry_max_ms; /* default 1m, 60m */
    uint32_t retry_attempts;               /* default 0: no limit */
    uint64_t receipt_timeout_ms;           /* overdue after; default 24h; 0 never */
    int level_min, level_max;     /* default 1 .. 5 (settings "1.2","1.3","1.4","2.0") */
    uint32_t buffer_size, credit; /* 0: the server's */
    int compression, restart;     /* -1: the server's, 0, 1 */
    bool tolerate_buffer_plus_one;
    const char *call_for_receipts; /* not used when host is NULL: "yes" default, "no" */
    /* how files for it leave us; all default false */
    bool send_signed, send_encrypted, send_compressed, send_signed_receipt;
    const char *cipher_suite;  /* NULL: the server's */
    int secure_authentication; /* -1: the server's, 0, 1 */
    /* default false: an unsigned EERP for a file that asked for a signed one settles nothing */
    bool accept_unsigned_receipts;
    const char *certificate_exchange;    /* "off", "manual" (default), "automatic" */
    const char *certificate_authorities; /* what it sends must come from; NULL: see oftp2.md */
};

enum config_step_kind { STEP_WRITE, STEP_EXEC, STEP_HTTP, STEP_SEND };

struct config_step {
    enum config_step_kind kind;
    struct config_at at;
    union {
        struct {
            const char *directory;
            const char *name;     /* template, default "{{document.id}}-{{document.name}}" */
            const char *existing; /* "fail" (default), "replace", "number" */
        } write;
        struct {
            const char *const *command; /* NULL-ended, each a template */
            uint64_t timeout_ms;        /* default 60s */
        } exec;
        struct {
            const char *url;          /* template */
            const char *method;       /* default POST */
            const char *content_type; /* default application/octet-stream */
            uint64_t timeout_ms;      /* default 60s */
            uint32_t retries;         /* default 3   */
            uint64_t retry_delay_ms;  /* default 10s */
        } http;
        struct {
            const char *partner, *identity;
            const char
                *protocol; /* "oftp2", "as2"; NULL: the one the partner has (oftp2 first) */
            const char *content_type, *subject; /* AS2: templates; NULL: the partner's */
            const char *name;   /* template for SFIDDSN, default "{{document.name}}" */
            const char *format; /* "U", "T", "F", "V" */
            uint32_t record_length;
            const char *description; /* template */
        } send;
    } u;
};

struct config_tracking {
    const char *field; /* the label */
    const char *value; /* template  */
};

/* Files for somebody behind us: passed on as they came. */
struct config_relay {
    const char *destination;     /* SFIDDEST; NULL: the ODETTE ID of the one partner */
    const char *const *partners; /* NULL-ended, at least one */
    struct config_at at;
};

enum config_acknowledge { ACK_RECEIVED, ACK_PROCESSED, ACK_MANUAL, ACK_NONE };
enum config_three { REQUIRE_NO, REQUIRE_YES };

struct config_process {
    const char *listen;                     /* "oftp2-server", "as2-server" */
    const char *from_partner, *to_identity; /* {partner: acme}, {identity: us}; else NULL */
    struct config_oftp2_party from, to;     /* in place; odette_id NULL when referred to */
    struct config_as2_operation as2;        /* with listen: as2-server, instead of from, to */
    struct config_at from_at, to_at;
    struct {
        bool is_signed, encrypted, compressed, signed_receipt;
    } require;
    /* NULL-ended, config_cipher_suite knows each: what files may come in; NULL: 01 to 07 */
    const char *const *cipher_suites;
    enum config_acknowledge acknowledge;
    struct {
        bool enabled, raw;
        const char *directory;
    } archiving;
    struct config_tracking *tracking;
    size_t tracking_n;
    struct config_relay *relay;
    size_t relay_n;
    uint64_t max_file_size;     /* octets; 0: the server's */
    const char *formats;        /* allowed SFIDFMT, default "FVUT" */
    uint32_t max_record_length; /* default 99999 */
    const char *file_name;      /* pattern for SFIDDSN (shell wildcards), NULL: any */
    /* "none", "lf", "crlf": opened F and V files; NULL: "none" for F, "lf" for V */
    const char *record_delimiter;
    bool reject_duplicates; /* default true */
    struct config_step *steps;
    size_t steps_n;
    struct config_retention retention;
};

struct config_component {
    struct arena arena; /* holds all of it */
    enum config_kind kind;
    const char *name; /* a-z 0-9 - _ . , 1 to 64 */
    const char *file;
    struct config_at at;
    const char *text; /* its own YAML document, as it stood */
    const struct config_place *places;
    union {
        struct config_certificate certificate;
        struct config_identity identity;
        struct config_partner partner;
        struct config_process process;
    } u;
};

/* Reads a stream of YAML documents ("---" between them). Each is one component, told by its
 * first key (certificate:, identity:, partner:, process:). list: given, each to be freed with
 * config_component_free and the list itself with free(). False when there are problems; the
 * list is then empty. */
MUST_CHECK bool config_components_parse(struct span yaml, const char *file,
                                        struct config_component ***list, size_t *n,
                                        struct config_problems *ps);
void config_component_free(struct config_component *c);

/* Checks over all components together: references that lead nowhere, missing passwords,
 * certificates without keys, templates with unknown names. Adds to *ps; false when it did. */
MUST_CHECK bool config_check(const struct config_runtime *rt,
                             struct config_component *const *all, size_t n,
                             struct config_problems *ps);

/* What is allowed, but probably not meant, in one of all: such as messages that are encrypted and
 * not signed. Each is a line for people, added to *advice; nothing is refused for it. rt may be
 * NULL. */
void config_advise(const struct config_runtime *rt, struct config_component *const *all,
                   size_t n, const struct config_component *one,
                   struct config_problems *advice);

/* The YAML text of a certificate component, of its settings. In the arena; NULL: memory is out. */
char *config_certificate_text(const char *name, const struct config_certificate *c,
                              struct arena *a);
/* Who refers to a certificate component: "partner acme: signature_verification_certificate". rt
 * may be NULL. In the arena. */
MUST_CHECK bool config_certificate_users(const struct config_runtime *rt,
                                         struct config_component *const *all, size_t n,
                                         const char *name, struct arena *a,
                                         const char *const **list, size_t *list_n);

#define CONFIG_MASK "********"
/* A component's text with the value of each secret setting (passwords, sealed keys) replaced by
 * CONFIG_MASK; `{secret: name}` stays. It has as many lines as before. In the arena; NULL: memory is
 * out. */
char *config_mask(struct arena *a, const char *text);
/* The text of the component that is there already, or NULL. */
typedef const char *config_old_text(void *context, const char *kind, const char *name);
/* A stream of components in which CONFIG_MASK as the value of a secret setting is replaced by what
 * stands there in the old text. Inside lists only in items that are otherwise as before. What is not
 * found stays, and is a problem for config_components_parse. In the arena; NULL: memory is out. */
char *config_unmask(struct arena *a, const char *yaml, config_old_text *old, void *context);

/* The value of a secret: in place, from environment WAYBILL_SECRET_<NAME> (upper case, '-' and
 * '.' as '_'), or the first line of <secrets_directory>/<name>. text: at least 256 octets.
 * FAIL_LOCAL says which file was looked for. A NULL secret (neither) gives "". */
MUST_CHECK bool config_secret_get(const struct config_runtime *rt,
                                  const struct config_secret *s, char *text, size_t cap,
                                  struct err *err);

/* SFIDCIPH of a cipher suite's name: AES_RSA_SHA256 is 4. 1 to 10; 0: there is no such name. */
int config_cipher_suite(const char *name);
/* The name of suite 1 to 10, else NULL. */
const char *config_cipher_suite_name(int suite);

/* All settings with their values, defaults included, as YAML with comments (`waybill dump`).
 * Secrets in place are shown as ***. Given: free(). */
char *config_runtime_dump(const struct config_runtime *c);

/* The names of the settings that are not the same in both, "admin.listen, oftp2_server.credit", but for
 * those of some sections (ends with NULL); "" when all are. Secrets in place are not compared. In the
 * arena; NULL when memory is out. */
char *config_runtime_changes(const struct config_runtime *was, const struct config_runtime *now,
                             const char *const *but, struct arena *a);

/* The configuration reference in Markdown, made of the rows. Given: free(). */
char *config_reference(void);
/* The same of components in JSON, for programs that make forms: the answer of
 * GET /api/v1/components/schema. Given: free(); NULL: memory is out. */
char *config_components_schema(void);

#endif
