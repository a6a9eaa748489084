/* sessions: those under way, with the file each one moves. */
#include "cli/cli.h"

static void show(struct cli *c, const json_t *answer)
{
    static const char *const heads[] = { ">ID", "PARTNER", "PEER", "ADDRESS",   "STATE",
                                         "BY",  "SINCE",   "TLS",  ">DOCUMENT", ">DONE",
                                         ">OF", ">IN",     ">OUT", NULL };
    struct cli_table t;
    const json_t *s;
    size_t i;

    cli_table_begin(&t, heads);
    json_array_foreach(json_object_get(answer, "sessions"), i, s)
    {
        bool moving = cli_j_int(s, "document") != 0;
        char done[16], total[16], in[16], out[16];

        cli_size_text((uint64_t)cli_j_int(s, "done"), done);
        cli_size_text((uint64_t)cli_j_int(s, "total"), total);
        cli_size_text((uint64_t)cli_j_int(s, "octets_in"), in);
        cli_size_text((uint64_t)cli_j_int(s, "octets_out"), out);
        cli_table_row(&t,
                      (const char *const[]) {
                          cli_j_number(c, s, "id"), cli_j_text(s, "partner"),
                          cli_j_text(s, "peer"), cli_j_text(s, "address"),
                          cli_j_text(s, "state"), cli_j_bool(s, "initiator") ? "us" : "partner",
                          cli_time_text(c, cli_j_text(s, "since")), cli_j_text(s, "tls"),
                          cli_j_number(c, s, "document"), moving ? done : "",
                          cli_j_int(s, "total") != 0 ? total : "", in, out });
    }
    cli_table_end(&t, stdout, 0);
}

static int run(struct cli *c)
{
    return cli_call_show(c, "GET", "/api/v1/sessions", show);
}

const struct cli_command cmd_sessions = {
    .name = "sessions",
    .help = "list the sessions under way with their progress",
    .usage = "",
    .example = "waybill sessions\n",
    .run = run,
};
