/* The settings of as2_server, which this version checks but does not serve: a configuration
 * written for the next one loads today. */
#include "config/schema_int.h"

struct as2_endpoint {
    const char *host, *ssl_certificate;
    uint16_t port;
    bool ssl;
};

struct as2_server {
    const char *path;
    struct as2_endpoint *endpoints;
    size_t endpoints_n;
};

/* clang-format off */
static const struct row endpoint_rows[] = {
    { "host", ROW_TEXT, offsetof(struct as2_endpoint, host), .def = "::", .check = check_host,
      .help = "The address to listen on." },
    { "port", ROW_PORT, offsetof(struct as2_endpoint, port), .max = 65535, .flags = ROW_REQUIRED,
      .help = "The TCP port." },
    { "ssl", ROW_BOOL, offsetof(struct as2_endpoint, ssl), .def = "false",
      .help = "Whether this port speaks HTTPS." },
    { "ssl_certificate", ROW_TEXT, offsetof(struct as2_endpoint, ssl_certificate),
      .help = "The certificate component, with its key, that this port shows. Needed with `ssl`." },
};
/* clang-format on */

static void endpoint_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct as2_endpoint *e = target;

    if (e->ssl && e->ssl_certificate == NULL)
        walk_problem(w, node,
                     "an endpoint with ssl needs ssl_certificate: the name of our "
                     "certificate component");
    if (!e->ssl && e->ssl_certificate != NULL)
        walk_problem(w, node, "an endpoint with ssl_certificate also needs ssl: true");
}

/* clang-format off */
static const struct mapping endpoint_mapping = {
    .name = "as2_server.endpoints[]", .rows = endpoint_rows, .rows_n = COUNT_OF(endpoint_rows),
    .size = sizeof(struct as2_endpoint), .done = endpoint_done,
    .help = "One listening port of the AS2 server.",
};

static const struct row rows[] = {
    { "path", ROW_TEXT, offsetof(struct as2_server, path), .def = "/as2", .check = check_url_path,
      .help = "The path of the URL partners post to." },
    { "endpoints", ROW_LIST, offsetof(struct as2_server, endpoints), offsetof(struct as2_server, endpoints_n),
      .sub = &endpoint_mapping, .max = 100,
      .help = "The ports to listen on." },
};

const struct mapping mapping_as2_server = {
    .name = "as2_server", .rows = rows, .rows_n = COUNT_OF(rows), .size = sizeof(struct as2_server),
    .help = "The AS2 server (RFC 4130). **Not served by this version**: the settings are checked, so that "
            "mistakes show early, and otherwise have no effect.",
};
/* clang-format on */
