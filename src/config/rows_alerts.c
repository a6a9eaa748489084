/* Who is told when something goes wrong. */
#include "config/schema_int.h"

#include <ctype.h>

#define SECOND_MS UINT64_C(1000)
#define HOUR_MS   (3600 * SECOND_MS)

#define ALERTS(member) offsetof(struct config_runtime, alerts.member)
#define ROWS(table)    .rows = (table), .rows_n = COUNT_OF(table)

static const char *check_mail_server(const char *value)
{
    const char *host = strncmp(value, "smtp://", 7) == 0    ? value + 7
                       : strncmp(value, "smtps://", 8) == 0 ? value + 8
                                                            : "";

    if (*host == '\0' ||
        host[strspn(host, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"
                          "0123456789.-:[]")] != '\0')
        return "must be smtp://HOST:PORT or smtps://HOST:PORT, without a user and a path";
    return NULL;
}

static const char *check_address(const char *value)
{
    const char *at = strchr(value, '@');

    for (const char *p = value; *p != '\0'; p++)
        if (!isgraph((unsigned char)*p) || strchr("<>()[],;:\\\"", *p) != NULL)
            return "must be a plain mail address, such as edi@example.com";
    if (at == NULL || at == value || at[1] == '\0' || strchr(at + 1, '@') != NULL ||
        strlen(value) > 254)
        return "must be a plain mail address, such as edi@example.com";
    return NULL;
}

static void mail_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_alerts *a = &((const struct config_runtime *)target)->alerts;

    if (node == NULL)
        return;
    /* What was refused above is NULL. */
    if (a->mail.user != NULL && a->mail.server != NULL && a->mail.tls != NULL &&
        strncmp(a->mail.server, "smtps:", 6) != 0 && strcmp(a->mail.tls, "required") != 0)
        walk_problem(
            w, walk_find(w, node, "user"),
            "'user' needs tls: required: its password would cross the network readable");
}

static void alerts_done(struct walk *w, const yaml_node_t *node, void *target)
{
    const struct config_alerts *a = &((const struct config_runtime *)target)->alerts;

    if (node != NULL && !a->webhook_given && !a->mail_given)
        walk_problem(w, node,
                     "'alerts' has neither 'webhook' nor 'mail'; nobody would be told");
}

/* clang-format off */
static const struct word events[] = {
    { .name = "listener_errored" }, { .name = "document_failed" }, { .name = "receipt_overdue" },
    { .name = "certificate_expiring" }, { .name = NULL },
};
static const struct word tls_words[] = { { .name = "required" }, { .name = "offered" }, { .name = "never" }, { .name = NULL } };

static const struct row webhook_rows[] = {
    { "url", ROW_TEXT, ALERTS(webhook.url), .check = check_url, .flags = ROW_REQUIRED,
      .help = "Where alerts are posted as JSON: `text` for people, and `alerts`, each with `kind`, `document`, `partner`, `reason`, `what_to_do`." },
    { "authorization", ROW_SECRET, ALERTS(webhook.authorization), .max = 255, .def_shown = "none",
      .help = "The value of the header `Authorization`, such as `Bearer ...`." },
    { "timeout", ROW_DURATION, ALERTS(webhook.timeout_ms), .def = "30s", .min = 10, .max = HOUR_MS,
      .help = "How long one call may take." },
};
static const struct mapping webhook_mapping = {
    .name = "alerts.webhook", ROWS(webhook_rows), .help = "Alerts by HTTP.",
};

static const struct row mail_rows[] = {
    { "server", ROW_TEXT, ALERTS(mail.server), .check = check_mail_server, .max = 280, .flags = ROW_REQUIRED,
      .help = "The mail server: `smtp://mail.example.com:587`, or `smtps://` where TLS comes first." },
    { "tls", ROW_WORD, ALERTS(mail.tls), .def = "required", .words = tls_words,
      .help = "With `smtp://`: whether STARTTLS must be had, is used when it is offered, or never. The server's certificate must come from one of the system's authorities, or of `ca_file`." },
    { "ca_file", ROW_TEXT, ALERTS(mail.ca_file), .check = check_path, .max = 1000, .def_shown = "the system's",
      .help = "A file of certificates (PEM): the authorities that the mail server's must come from, in place of the system's." },
    { "user", ROW_TEXT, ALERTS(mail.user), .max = 255, .def_shown = "no log-on",
      .help = "Whom to log on to the mail server as." },
    { "password", ROW_SECRET, ALERTS(mail.password), .max = 255, .def_shown = "none",
      .help = "The password of `user`." },
    { "from", ROW_TEXT, ALERTS(mail.from), .check = check_address, .flags = ROW_REQUIRED,
      .help = "The address the mail comes from." },
    { "to", ROW_TEXTS, ALERTS(mail.to), .check = check_address, .max = 20, .flags = ROW_REQUIRED,
      .help = "Who gets the mail." },
    { "timeout", ROW_DURATION, ALERTS(mail.timeout_ms), .def = "60s", .min = 10, .max = HOUR_MS,
      .help = "How long one mail may take." },
};
static const struct mapping mail_mapping = {
    .name = "alerts.mail", ROWS(mail_rows), .done = mail_done, .help = "Alerts by mail.",
};

static const struct row rows[] = {
    { "on", ROW_TEXTS, ALERTS(on), .words = events, .max = 4, .def_shown = "all",
      .help = "What to tell. `document_failed` is any document that was refused or rejected, or failed." },
    { "gather", ROW_DURATION, ALERTS(gather_ms), .def = "60s", .min = 10, .max = 24 * HOUR_MS,
      .help = "The first alert goes out at once; what comes up within so long after it is told together, in one mail with a count." },
    { "retry", ROW_DURATION, ALERTS(retry_ms), .def = "10s", .min = 10, .max = HOUR_MS,
      .help = "How soon to try again when an alert could not be delivered; each further time twice as long, up to 15 minutes or this, if it is longer." },
    { "repeat", ROW_DURATION, ALERTS(repeat_ms), .def = "24h", .min = 100, .max = 8760 * HOUR_MS,
      .help = "How often to tell of a listener that stays errored." },
    { "webhook", ROW_MAP, .also = ALERTS(webhook_given), .flags = ROW_ABSENT, .sub = &webhook_mapping, .help = "Alerts by HTTP." },
    { "mail", ROW_MAP, .also = ALERTS(mail_given), .flags = ROW_ABSENT, .sub = &mail_mapping, .help = "Alerts by mail." },
};

const struct mapping mapping_alerts = {
    .name = "alerts", ROWS(rows), .done = alerts_done,
    .help = "Who is told when something goes wrong. Read at the start and with `waybill reload`. `waybill alert-test` sends one.",
    .example =
        "alerts:\n"
        "  mail:\n"
        "    server: smtp://mail.example.com:587\n"
        "    user: waybill\n"
        "    password: {secret: mail_password}\n"
        "    from: waybill@example.com\n"
        "    to: [edi@example.com]\n",
};
/* clang-format on */
