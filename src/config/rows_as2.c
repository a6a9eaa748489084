/* The settings of the AS2 server, and the algorithms that AS2 settings name. */
#include "config/schema_int.h"

#define SECOND_MS UINT64_C(1000)
#define HOUR_MS   (3600 * SECOND_MS)
#define DAY_MS    (24 * HOUR_MS)

#define ROWS(table)      .rows = (table), .rows_n = COUNT_OF(table)
#define SERVER(member)   offsetof(struct config_runtime, as2_server.member)
#define ENDPOINT(member) offsetof(struct config_as2_endpoint, member)

/* clang-format off */

const struct word as2_digest_words[] = {
    { .name = "MD5" }, { .name = "SHA1" }, { .name = "SHA224" }, { .name = "SHA256" }, { .name = "SHA384" },
    { .name = "SHA512" }, { .name = NULL },
};

const struct word as2_cipher_words[] = {
    { .name = "3DES" }, { .name = "AES128" }, { .name = "AES192" }, { .name = "AES256" }, { .name = "AES128_GCM" },
    { .name = "AES192_GCM" }, { .name = "AES256_GCM" }, { .name = NULL },
};

static const struct row endpoint_rows[] = {
    { "host", ROW_TEXT, ENDPOINT(host), .def = "::", .check = check_host,
      .help = "The address to listen on. `::` is every address, IPv4 included; `0.0.0.0` every IPv4 address." },
    { "port", ROW_PORT, ENDPOINT(port), .max = 65535, .flags = ROW_REQUIRED,
      .help = "The TCP port. 0 lets the system pick one, for tests." },
    { "ssl", ROW_BOOL, ENDPOINT(ssl), .def = "false",
      .help = "Whether this port speaks HTTPS. Without it passwords and unencrypted documents pass the network readable." },
    { "ssl_certificate", ROW_TEXT, ENDPOINT(ssl_certificate), .refers = REFERS_KEY,
      .help = "The certificate component, with its key, that this port shows to partners. Needed with `ssl`." },
    { "require_client_ssl", ROW_BOOL, ENDPOINT(require_client_ssl), .def = "false",
      .help = "Whether a partner must show a certificate of its own. Without it one is asked for all the same, and operations with `client_ssl_certificate` insist on theirs." },
    { "trusted_certificates", ROW_TEXT, ENDPOINT(trusted_certificates), .refers = REFERS_CERTIFICATE,
      .def_shown = "any, compared with the operation's",
      .help = "The certificate component with the authorities that partners' TLS certificates must come from." },
};
/* clang-format on */

static void endpoint_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_as2_endpoint *e = target;

    if (e->ssl && e->ssl_certificate == NULL)
        walk_problem(w, node,
                     "an endpoint with ssl needs ssl_certificate: the name of our "
                     "certificate component");
    if (!e->ssl && e->ssl_certificate != NULL)
        walk_problem(w, node, "an endpoint with ssl_certificate also needs ssl: true");
    else if (!e->ssl && (e->require_client_ssl || e->trusted_certificates != NULL))
        walk_problem(w, node,
                     "an endpoint with require_client_ssl or trusted_certificates also needs "
                     "ssl: true");
}

/* clang-format off */
static const struct mapping endpoint_mapping = {
    .name = "as2_server.endpoints[]", ROWS(endpoint_rows), .size = sizeof(struct config_as2_endpoint),
    .at = AT_OFFSET(struct config_as2_endpoint, at), .done = endpoint_done,
    .help = "One listening port of the AS2 server. All share the settings of `as2_server`.",
};

static const struct row rows[] = {
    { "path", ROW_TEXT, SERVER(path), .def = "/as2", .check = check_url_path,
      .help = "The path of the URL partners post messages and asynchronous MDNs to." },
    { "endpoints", ROW_LIST, SERVER(endpoints), SERVER(endpoints_n), .sub = &endpoint_mapping, .max = 100,
      .help = "The ports to listen on. None: partners cannot post to us, but we can send to them and take their synchronous MDNs." },
    { "mdn_url", ROW_TEXT, SERVER(mdn_url), .check = check_as2_url,
      .help = "Our own URL as partners see it, with `path`: where they send asynchronous MDNs. Needed by partners with `send: {mdn: async}`." },
    { "domain", ROW_TEXT, SERVER(domain), .check = check_domain, .def_shown = "`runtime.name`",
      .help = "What stands behind the `@` in our Message-IDs: a domain of yours." },
    { "product", ROW_TEXT, SERVER(product), .def = "Waybill", .max = 100, .check = check_header_text,
      .help = "What we call ourselves in `Server`, `User-Agent` and in MDNs (Reporting-UA)." },
    { "max_connections", ROW_NUMBER, SERVER(max_connections), .def = "1000", .min = 1, .max = 100000,
      .help = "Connections at the same time, over all endpoints. More are closed at once and logged." },
    { "max_connections_per_address", ROW_NUMBER, SERVER(max_connections_per_address), .def = "100", .min = 1, .max = 100000,
      .help = "Connections at the same time from one IP address." },
    { "header_timeout", ROW_DURATION, SERVER(header_timeout_ms), .def = "30s", .min = 10, .max = HOUR_MS,
      .help = "How long TLS and the head of a request may take, each (408 after that)." },
    { "idle_timeout", ROW_DURATION, SERVER(idle_timeout_ms), .def = "60s", .min = 10, .max = 24 * HOUR_MS,
      .help = "How long a partner may be silent within a body, and a connection may wait for its next request." },
    { "min_octets_per_second", ROW_NUMBER, SERVER(min_octets_per_second), .def = "1024", .max = 1 << 30,
      .help = "The slowest body to put up with, averaged over a minute (408 below that); 0 is any." },
    { "max_message_size", ROW_SIZE, SERVER(max_message_size), .def = "0", .max = UINT64_C(1) << 50,
      .help = "The largest body to accept, as it comes over the wire (413 beyond that); 0 is no limit. A process may limit the opened document with `max_file_size`." },
    { "sync_wait", ROW_DURATION, SERVER(sync_wait_ms), .def = "30s", .max = HOUR_MS,
      .help = "How long a request with synchronous MDN waits while the same message is still being processed (503 after that, and the partner tries again)." },
    { "duplicate_memory", ROW_DURATION, SERVER(duplicate_memory_ms), .def = "30d", .min = 1, .max = 3650 * DAY_MS,
      .help = "How long MDNs are kept to be given again to whom sends a message twice. Longer than partners go on trying. How duplicates are recognised is said by `reject_duplicates` of the operation." },
    { "answer_unknown", ROW_BOOL, SERVER(answer_unknown), .def = "false",
      .help = "What strangers get who ask for a synchronous MDN: an unsigned one that says unknown-trading-partner, instead of 403." },
    { "mdn_retry_first", ROW_DURATION, SERVER(mdn_retry_first_ms), .def = "1m", .min = 10, .max = DAY_MS,
      .help = "How long to wait after an asynchronous MDN of ours could not be posted. The further waits follow from it: 2, 5, 10, 30 and then always 60 times as long. It is always the same MDN that is posted." },
    { "mdn_retry_for", ROW_DURATION, SERVER(mdn_retry_for_ms), .def = "24h", .min = 10, .max = 30 * DAY_MS,
      .help = "After so long the MDN is given up as undelivered, which the log tells. A duplicate of the message makes it go out again." },
    { "senders", ROW_NUMBER, SERVER(senders), .def = "8", .min = 1, .max = 64,
      .help = "How many messages and asynchronous MDNs are posted at the same time." },
    { "max_posts_per_partner", ROW_NUMBER, SERVER(max_posts_per_partner), .def = "4", .min = 1, .max = 64,
      .help = "How many of them to one partner, so that a slow one does not hold up the others." },
};

const struct mapping mapping_as2_server = {
    .name = "as2_server", ROWS(rows),
    .help = "The AS2 server (RFC 4130), and what applies to all that is sent by AS2. Without `as2_server` nothing listens, but sending works.",
    .example =
        "as2_server:\n"
        "  path: /as2\n"
        "  mdn_url: https://as2.us.example/as2\n"
        "  domain: us.example\n"
        "  endpoints:\n"
        "    - {port: 8080}\n"
        "    - {port: 8443, ssl: true, ssl_certificate: our-tls}\n",
};
/* clang-format on */
