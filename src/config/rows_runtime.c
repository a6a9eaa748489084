/* The settings of waybill.yaml. */
#include "config/schema_int.h"

#define SECOND_MS UINT64_C(1000)
#define HOUR_MS   (3600 * SECOND_MS)
#define DAY_MS    (24 * HOUR_MS)

#define AT(member)  offsetof(struct config_runtime, member)
#define ROWS(table) .rows = (table), .rows_n = COUNT_OF(table)

static void endpoint_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_oftp2_endpoint *e = target;

    if (e->session_level_encryption && e->server_ssl_certificate == NULL)
        walk_problem(w, node,
                     "an endpoint with session_level_encryption needs "
                     "server_ssl_certificate: the name of our certificate component");
    if (!e->session_level_encryption &&
        (e->server_ssl_certificate != NULL || e->require_client_ssl ||
         e->trusted_certificates != NULL))
        walk_problem(w, node,
                     "an endpoint with server_ssl_certificate, require_client_ssl or "
                     "trusted_certificates also needs session_level_encryption: true");
}

/* clang-format off */
static const struct row endpoint_rows[] = {
    { "host", ROW_TEXT, offsetof(struct config_oftp2_endpoint, host), .def = "::", .check = check_host,
      .help = "The address to listen on. `::` is every address, IPv4 included; `0.0.0.0` every IPv4 address." },
    { "port", ROW_PORT, offsetof(struct config_oftp2_endpoint, port), .max = 65535, .flags = ROW_REQUIRED,
      .help = "The TCP port. Registered for OFTP2: 3305 without and 6619 with TLS. 0 lets the system pick one, for tests." },
    { "session_level_encryption", ROW_BOOL, offsetof(struct config_oftp2_endpoint, session_level_encryption), .def = "false",
      .help = "Whether this port speaks TLS from the first octet on. Without it passwords and documents pass the network readable." },
    { "server_ssl_certificate", ROW_TEXT, offsetof(struct config_oftp2_endpoint, server_ssl_certificate), .refers = REFERS_KEY,
      .help = "The certificate component, with its key, that this port shows to partners. Needed with `session_level_encryption`." },
    { "require_client_ssl", ROW_BOOL, offsetof(struct config_oftp2_endpoint, require_client_ssl), .def = "false",
      .help = "Whether a partner must show a certificate of its own to connect." },
    { "trusted_certificates", ROW_TEXT, offsetof(struct config_oftp2_endpoint, trusted_certificates), .refers = REFERS_CERTIFICATE,
      .def_shown = "the system's authorities",
      .help = "The certificate component with the authorities that partners' certificates must come from." },
};

static const struct mapping endpoint_mapping = {
    .name = "oftp2_server.endpoints[]", ROWS(endpoint_rows), .size = sizeof(struct config_oftp2_endpoint),
    .at = AT_OFFSET(struct config_oftp2_endpoint, at), .done = endpoint_done,
    .help = "One listening port. A runtime may have any number of them; all share the settings of `oftp2_server`.",
};

static const struct row runtime_rows[] = {
    { "name", ROW_TEXT, AT(runtime.name), .def = "waybill", .check = check_name,
      .help = "What this runtime is called in logs and in the console." },
    { "data_directory", ROW_TEXT, AT(runtime.data_directory), .check = check_directory, .flags = ROW_REQUIRED,
      .help = "Where the store and the payloads are kept. Put it on a local disk that survives a power cut, and back it up." },
    { "secrets_directory", ROW_TEXT, AT(runtime.secrets_directory), .check = check_directory,
      .def_shown = "`<data_directory>/secrets`",
      .help = "Where `{secret: name}` is looked for: one file per secret, whose first line is the value." },
    { "key_file", ROW_TEXT, AT(runtime.key_file), .check = check_path,
      .def_shown = "`<data_directory>/keys/store.key`",
      .help = "The store key: 32 octets under which private keys in the store are encrypted. Made, for its owner only, with the first `waybill certificates import`. Back it up apart from the data directory: without it those keys are lost." },
    { "crl_check", ROW_DURATION, AT(runtime.crl_check_ms), .def = "60s", .min = SECOND_MS, .max = DAY_MS,
      .help = "How often to look whether a `crl_file` has changed or its time is over, and whether the next certificate of a roll-over has its turn." },
    { "workers", ROW_NUMBER, AT(runtime.workers), .def = "4", .min = 1, .max = 64,
      .help = "How many threads open, seal and process documents at the same time." },
    { "stop_timeout", ROW_DURATION, AT(runtime.stop_timeout_ms), .def = "30s", .max = HOUR_MS,
      .help = "How long running transfers may go on after SIGTERM before their sessions are ended." },
    { "sandbox", ROW_BOOL, AT(runtime.sandbox), .def = "true",
      .help = "Whether the runtime, and with it every program that a step runs, gives up at start what neither needs: rights gained by set-user-ID programs (`sudo`), capabilities such as those for mounting and tracing, and the system calls for them. docs/security.md has the list. Counts from the next start." },
};

static const struct mapping runtime_mapping = {
    .name = "runtime", ROWS(runtime_rows), .help = "The program itself.",
};

#define SERVER(member) AT(oftp2_server.member)

static const struct row oftp2_server_rows[] = {
    { "endpoints", ROW_LIST, SERVER(endpoints), SERVER(endpoints_n), .sub = &endpoint_mapping, .max = 100,
      .help = "The ports to listen on. None: partners cannot call, but we can call them." },
    { "cipher_suite", ROW_WORD, SERVER(cipher_suite), .def = "AES_RSA_SHA256", .words = cipher_suite_words,
      .help = "Algorithms for sealing documents and signing receipts: content encryption, key transport and signature, hash (SFIDCIPH 01 to 10, in this order). The last three, with OAEP and PSS, are understood by few partners." },
    { "require_secure_authentication", ROW_BOOL, SERVER(require_secure_authentication), .def = "false",
      .help = "Whether both sides must prove, by decrypting a challenge, that they hold their private key (SSIDAUTH)." },
    { "buffer_size", ROW_NUMBER, SERVER(buffer_size), .def = "99999", .min = 128, .max = 99999,
      .help = "The largest exchange buffer to offer, in octets (SSIDSDEB). The smaller of both sides' is used." },
    { "credit", ROW_NUMBER, SERVER(credit), .def = "999", .min = 1, .max = 999,
      .help = "How many buffers may be on their way before the receiver must answer (SSIDCRED). Small values slow long distances." },
    { "buffer_compression", ROW_BOOL, SERVER(compression), .def = "false",
      .help = "Whether to offer compression of repeated characters inside buffers (SSIDCMPR). Used only when both sides offer it; compressing the document itself is better." },
    { "restart", ROW_BOOL, SERVER(restart), .def = "true",
      .help = "Whether to offer to go on with an interrupted file where it stopped (SSIDREST)." },
    { "max_connections", ROW_NUMBER, SERVER(max_connections), .def = "1000", .min = 1, .max = 100000,
      .help = "Connections at the same time, over all endpoints. More are closed at once and logged." },
    { "max_connections_per_address", ROW_NUMBER, SERVER(max_connections_per_address), .def = "100", .min = 1, .max = 100000,
      .help = "Connections at the same time from one IP address." },
    { "max_sessions_per_partner", ROW_NUMBER, SERVER(max_sessions_per_partner), .def = "10", .min = 1, .max = 10000,
      .help = "Sessions at the same time with one partner, counted by its ODETTE ID." },
    { "start_timeout", ROW_DURATION, SERVER(start_timeout_ms), .def = "60s", .min = 10, .max = HOUR_MS,
      .help = "How long TLS and log-on together may take." },
    { "inactivity_timeout", ROW_DURATION, SERVER(inactivity_timeout_ms), .def = "180s", .min = 10, .max = 24 * HOUR_MS,
      .help = "How long the other side may be silent when it is its turn." },
    { "end_file_timeout", ROW_DURATION, SERVER(end_file_timeout_ms), .def = "360s", .min = 10, .max = 24 * HOUR_MS,
      .help = "How long the other side may take to answer the end of a file (EFID). Some partners store the whole file before they do." },
    { "disconnect_timeout", ROW_DURATION, SERVER(disconnect_timeout_ms), .def = "10s", .min = 10, .max = HOUR_MS,
      .help = "How long to wait, after the end of a session, for the other side to disconnect." },
    { "max_file_size", ROW_SIZE, SERVER(max_file_size), .def = "0", .max = UINT64_C(1) << 50,
      .help = "The largest document to accept; 0 is no limit. A process may set its own." },
    { "duplicate_memory", ROW_DURATION, SERVER(duplicate_memory_ms), .def = "30d", .min = 1, .max = 3650 * DAY_MS,
      .help = "How long a received file is remembered so that a second copy is recognised and not delivered again." },
    { "partial_memory", ROW_DURATION, SERVER(partial_memory_ms), .def = "7d", .min = 1, .max = 3650 * DAY_MS,
      .help = "How long a half-received file is kept for a restart." },
};

static const struct mapping oftp2_server_mapping = {
    .name = "oftp2_server", ROWS(oftp2_server_rows),
    .help = "The OFTP2 server (RFC 5024), and what applies to calls to partners, too, unless the partner has a value of its own.",
};

static const struct row admin_rows[] = {
    { "listen", ROW_TEXT, AT(admin.listen), .def = "127.0.0.1:8090", .check = check_listen, .flags = ROW_EMPTY,
      .help = "Address and port of the REST API, the metrics and the console. `\"\"`: none. Port 0 lets the system pick one. Everybody but `/healthz` and `/readyz` is asked to log on: `waybill users`, `waybill tokens`." },
    { "ssl_certificate", ROW_TEXT, AT(admin.ssl_certificate), .refers = REFERS_KEY,
      .help = "The certificate component, with its key, with which `listen` speaks TLS. Without it `listen` must be a loopback address. Until there is such a component, connections are closed." },
    { "socket", ROW_TEXT, AT(admin.socket), .check = check_socket,
      .def_shown = "`<data_directory>/admin.sock`",
      .help = "Path of the Unix socket the command line talks to. At most 107 octets." },
};

static const struct mapping admin_mapping = {
    .name = "admin", ROWS(admin_rows), .help = "Where operators and programs reach the runtime.",
};

static const struct word log_levels[] = {
    { .name = "error" }, { .name = "warn" }, { .name = "info" }, { .name = "debug" }, { .name = NULL },
};
static const struct word log_formats[] = { { .name = "text" }, { .name = "json" }, { .name = NULL } };

static const struct row log_rows[] = {
    { "level", ROW_WORD, AT(log.level), .def = "info", .words = log_levels,
      .help = "The least important lines to write." },
    { "format", ROW_WORD, AT(log.format), .def = "text", .words = log_formats,
      .help = "`text`: `event key=value` lines for people; `json`: one object a line for collectors." },
};

static const struct mapping log_mapping = {
    .name = "log", ROWS(log_rows), .help = "The log, which goes to standard error.",
};

static const struct row rows[] = {
    { "runtime", ROW_MAP, .sub = &runtime_mapping, .flags = ROW_REQUIRED,
      .help = "The program itself; at least `data_directory`." },
    { "store", ROW_TEXT, AT(store), .def = "sqlite", .check = check_store,
      .help = "Where documents and their records are kept. `sqlite`: in a database file in the data directory." },
    { "oftp2_server", ROW_MAP, .sub = &oftp2_server_mapping, .help = "The OFTP2 server." },
    { "as2_server", ROW_MAP, .also = AT(as2_server_given), .sub = &mapping_as2_server,
      .help = "The AS2 server, and what applies to all that is sent by AS2." },
    { "retention", ROW_MAP, .sub = &mapping_retention, .help = "How long what is done is kept." },
    { "alerts", ROW_MAP, .also = AT(alerts.given), .flags = ROW_ABSENT, .sub = &mapping_alerts, .help = "Who is told when something goes wrong." },
    { "admin", ROW_MAP, .sub = &admin_mapping, .help = "The REST API and the command line's socket." },
    { "log", ROW_MAP, .sub = &log_mapping, .help = "The log." },
};
/* clang-format on */

static void runtime_done(struct walk *w, const yaml_node_t *node, void *target)
{
    struct config_runtime *c = target;
    const char *data = c->runtime.data_directory;

    if (c->as2_server.domain == NULL)
        c->as2_server.domain = c->runtime.name;
    if (data == NULL)
        return;
    if (c->runtime.secrets_directory == NULL)
        c->runtime.secrets_directory = arena_printf(w->arena, "%s/secrets", data);
    if (c->runtime.key_file == NULL)
        c->runtime.key_file = arena_printf(w->arena, "%s/keys/store.key", data);
    if (c->admin.socket == NULL)
        c->admin.socket = arena_printf(w->arena, "%s/admin.sock", data);
    if (c->admin.socket != NULL && check_socket(c->admin.socket) != NULL)
        walk_problem(w, node,
                     "data_directory is too long for a Unix socket in it; set "
                     "admin: {socket: ...} to a path of at most 107 octets");
}

/* clang-format off */
const struct mapping mapping_runtime = {
    .name = "waybill.yaml", ROWS(rows), .size = sizeof(struct config_runtime), .done = runtime_done,
    .help = "The runtime's own settings, read at start. Those of `log` and `alerts` are read again at SIGHUP (`waybill reload`), with all secrets; whatever else was changed is named then and counts from the next start.",
    .example =
        "runtime: {name: plant-7, data_directory: /var/lib/waybill}\n"
        "oftp2_server:\n"
        "  endpoints:\n"
        "    - {port: 3305}\n"
        "    - {port: 6619, session_level_encryption: true, server_ssl_certificate: our-tls}\n"
        "admin: {listen: \"127.0.0.1:8090\"}\n",
};
/* clang-format on */
