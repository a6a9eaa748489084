/* show: everything about one document. */
#include "cli/cli.h"

#define HEADERS "as2.headers" /* has line ends: for a block of its own */

static void line(const char *name, const char *value)
{
    if (value[0] == '\0')
        return;
    printf("%-12s", name);
    cli_put_safe(stdout, value);
    putchar('\n');
}

static void size_line(const char *name, const json_t *d, const char *key)
{
    uint64_t n = (uint64_t)cli_j_int(d, key);
    char text[16], both[48];

    cli_size_text(n, text);
    (void)snprintf(both, sizeof(both), n < 1000 ? "%s" : "%s (%llu octets)", text,
                   (unsigned long long)n);
    line(name, n > 0 || strcmp(key, "size") == 0 ? both : "");
}

static void head(struct cli *c, const json_t *d)
{
    const char *state = cli_j_text(d, "state");

    line("document", cli_j_number(c, d, "id"));
    line("direction", cli_j_text(d, "direction"));
    line("state",
         cli_j_bool(d, "redelivered") ? cli_printf(c, "%s (redelivered)", state) : state);
    line("reason", cli_j_text(d, "reason"));
    if (cli_j_bool(d, "held"))
        line("receipt",
             cli_printf(c, "waits for `waybill acknowledge %s` or `waybill reject %s`",
                        cli_j_number(c, d, "id"), cli_j_number(c, d, "id")));
    line("partner", cli_j_text(d, "partner"));
    line("listener", cli_j_text(d, "listener"));
    line("name", cli_j_text(d, "name"));
    line("from", cli_j_text(d, "from"));
    line("to", cli_j_text(d, "to"));
    line("own code", cli_j_text(d, "own"));
    line("peer code", cli_j_text(d, "peer"));
    line("protocol", cli_j_text(d, "protocol"));
    size_line("size", d, "size");
    size_line("raw size", d, "raw_size");
    if (cli_j_int(d, "progress") != 0 && cli_j_int(d, "progress") != cli_j_int(d, "total"))
        size_line("moved", d, "progress");
    line("created", cli_time_text(c, cli_j_text(d, "created")));
    line("changed", cli_time_text(c, cli_j_text(d, "changed")));
}

/* One section: a list of the answer, its members as columns. */
struct section {
    const char *title, *key;
    const char *const *heads;   /* NULL-ended */
    const char *const *members; /* one for each */
};

static const char *cell(struct cli *c, const json_t *o, const char *member)
{
    const json_t *v = json_object_get(o, member);

    if (json_is_integer(v))
        return cli_j_number(c, o, member);
    if (json_is_true(v))
        return member;
    if (strcmp(member, "at") == 0 || strcmp(member, "started") == 0 ||
        strcmp(member, "ended") == 0 || strcmp(member, "not_before") == 0)
        return cli_time_text(c, cli_j_text(o, member));
    return cli_j_text(o, member);
}

static void section(struct cli *c, const json_t *d, const struct section *s)
{
    const json_t *list = json_object_get(d, s->key), *o;
    struct cli_table t;
    size_t i;

    if (json_array_size(list) == 0)
        return;
    printf("\n%s\n", s->title);
    cli_table_begin(&t, s->heads);
    json_array_foreach(list, i, o)
    {
        const char *cells[16];

        for (size_t k = 0; s->heads[k] != NULL; k++)
            cells[k] = cell(c, o, s->members[k]);
        cli_table_row(&t, cells);
    }
    cli_table_end(&t, stdout, 2);
}

static void properties(const json_t *d)
{
    static const char *const heads[] = { "NAME", "VALUE", NULL };
    json_t *ps = json_object_get(d, "properties");
    struct cli_table t;
    const char *name;
    json_t *v;

    if (json_object_size(ps) == 0)
        return;
    puts("\nproperties");
    cli_table_begin(&t, heads);
    json_object_foreach(ps, name, v) if (strcmp(name, HEADERS) != 0)
        cli_table_row(&t, (const char *const[]) { name, json_string_value(v) });
    cli_table_end(&t, stdout, 2);
}

/* Lines of `text`, indented; CRLF and LF end them. */
static void block(const char *title, const char *text)
{
    if (text[0] == '\0')
        return;
    printf("\n%s\n", title);
    while (*text != '\0') {
        size_t n = strcspn(text, "\r\n");
        char line[2048];

        (void)snprintf(line, sizeof(line), "%.*s", (int)(n < sizeof(line) ? n : sizeof(line)),
                       text);
        fputs("  ", stdout);
        cli_put_safe(stdout, line);
        putchar('\n');
        text += n;
        text += text[0] == '\r' && text[1] == '\n' ? 2 : text[0] != '\0';
    }
}

static int nibble(char c)
{
    return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

/* The octets of a receipt as a text, what is no text as dots; its JSON has them in hex. */
static char *octets_text(struct cli *c, const char *hex)
{
    char *text = cli_printf(c, "%s", hex), *to = text;

    for (; hex[0] != '\0' && hex[1] != '\0'; hex += 2) {
        int o = nibble(hex[0]) << 4 | nibble(hex[1]);

        *to++ =
            (char)(o == '\r' || o == '\n' || o == '\t' || (o >= 0x20 && o < 0x7F) ? o : '.');
    }
    *to = '\0';
    return text;
}

/* The fields of an MDN (RFC 8098): those of its part message/disposition-notification. */
static void mdn(struct cli *c, const json_t *r)
{
    static const char type[] = "Content-Type: message/disposition-notification";
    char *text, *at, *end;

    if (strcmp(cli_j_text(r, "kind"), "MDN") != 0)
        return;
    text = octets_text(c, cli_j_text(r, "octets"));
    at = strcasestr(text, type);
    at = at == NULL ? NULL : strstr(at, "\r\n\r\n");
    if (at == NULL)
        return;
    at += 4;
    end = strstr(at, "\r\n--");
    if (end != NULL)
        *end = '\0';
    block(cli_printf(c, "MDN %s (%s)", cli_j_number(c, r, "id"), cli_j_text(r, "direction")),
          at);
}

#define LIST(...) ((const char *const[]) { __VA_ARGS__, NULL })

static void show(struct cli *c, const json_t *d)
{
    const struct section sections[] = {
        { "tracked fields", "tracked", LIST("LABEL", "VALUE"), LIST("label", "value") },
        { "timeline", "events", LIST("AT", "EVENT", "TEXT"), LIST("at", "kind", "text") },
        { "receipts", "receipts",
          LIST(">ID", "KIND", "DIRECTION", "STATE", ">REASON", "CREATOR", "AT", "TEXT"),
          LIST("id", "kind", "direction", "state", "reason", "creator", "at", "text") },
        { "executions", "executions",
          LIST(">ID", "PROCESS", "STARTED", "ENDED", "OUTCOME", "", "TEXT"),
          LIST("id", "process", "started", "ended", "outcome", "redelivered", "text") },
        { "jobs", "jobs", LIST(">ID", "KIND", "PEER", "NOT BEFORE", ">ATTEMPTS", "LAST ERROR"),
          LIST("id", "kind", "peer", "not_before", "attempts", "last_error") },
    };

    const json_t *r;
    size_t i;

    head(c, d);
    properties(d);
    for (i = 0; i < COUNT_OF(sections); i++)
        section(c, d, &sections[i]);
    block("header fields as posted", cli_j_text(json_object_get(d, "properties"), HEADERS));
    json_array_foreach(json_object_get(d, "receipts"), i, r) mdn(c, r);
}

static int run(struct cli *c)
{
    return cli_call_show(
        c, "GET", cli_printf(c, "/api/v1/documents/%s", cli_escape(c, c->args[0])), show);
}

const struct cli_command cmd_show = {
    .name = "show",
    .help = "print one document: properties, timeline, receipts, tracked fields, jobs",
    .usage = "ID",
    .example = "waybill show 17\n",
    .args_min = 1,
    .args_max = 1,
    .run = run,
};
