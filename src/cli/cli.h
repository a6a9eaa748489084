/* The program `waybill`: a table of commands, each in a file of its own. All but serve, check,
 * dump and certificates speak to a runtime through its admin socket and nothing else.
 * Like any short-lived program these die when memory is out. */
#ifndef WAYBILL_CLI_H
#define WAYBILL_CLI_H

#include "base/arena.h"
#include "base/err.h"
#include "config/config.h"

#include <jansson.h>
#include <stdio.h>

enum { CLI_DONE = 0, CLI_REFUSED = 1, CLI_MISUSED = 2 }; /* exit status */

struct cli;

struct cli_option {
    char letter;       /* -f, 0: none */
    const char *name;  /* --file */
    const char *value; /* "FILE"; NULL: a flag */
    const char *help;
};

struct cli_command {
    const char *name, *help; /* one line, no full stop */
    const char *usage;       /* what follows the name */
    const char *more;        /* a paragraph for the manual, NULL: none */
    const char *example;     /* command lines, each with its newline */
    const struct cli_option *options;
    size_t options_n;
    size_t args_min, args_max; /* SIZE_MAX: any number */
    bool raw;                  /* takes what follows its name as it stands */
    int (*run)(struct cli *c); /* gives the exit status */
};

struct cli_given {
    const char *name, *value; /* value "" for a flag */
};

struct cli {
    const struct cli_command *command;
    const char *config, *socket_path; /* as given, else NULL */
    bool json, help;
    struct cli_given *given; /* options of the command */
    size_t given_n;
    const char **args; /* what is no option; raw: argv[0] is the command's name */
    size_t args_n;
    struct arena arena;
};

/* ---- command line (options.c) ----------------------------------------------------------- */

extern const struct cli_option cli_globals[];
extern const size_t cli_globals_n;
/* Takes the command line apart; text is borrowed from argv. *err says what is wrong. */
MUST_CHECK bool cli_parse(struct cli *c, int argc, char **argv,
                          const struct cli_command *const *table, struct err *err);
const struct cli_command *cli_find(const struct cli_command *const *table, const char *name);
/* The (last) value of an option, NULL when it was not given. */
const char *cli_option_value(const struct cli *c, const char *name);
/* Its nth value, for options that may be repeated. */
const char *cli_option_nth(const struct cli *c, const char *name, size_t n);
bool cli_flag(const struct cli *c, const char *name);
/* Says what is wrong and the usage line, on standard error; gives CLI_MISUSED. */
int cli_misused(const struct cli *c, const char *fmt, ...)
    __attribute__((format(printf, 2, 3)));
int cli_check_store(struct cli *c); /* check_store.c */
/* Says why on standard error; gives CLI_REFUSED. */
int cli_refused(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
/* Prints all problems, "file:3:7: text" each, on standard error. */
void cli_problems(const struct config_problems *ps);
/* What arena_printf gives, never NULL. */
char *cli_printf(struct cli *c, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
/* p, which is not NULL any more. */
void *cli_have(void *p);
/* glibc would keep the buffers of ended sessions in a heap for each thread, and after the first large
 * one hand out all from there: three times the memory, growing for hours. Before threads begin. */
void cli_bound_heap(void);

/* ---- settings and files (files.c) ------------------------------------------------------- */

/* --config, $WAYBILL_CONFIG, ./waybill.yaml or /etc/waybill/waybill.yaml. */
const char *cli_config_path(const struct cli *c);
/* NULL: the problems were printed. Given: config_runtime_free. */
struct config_runtime *cli_config_load(const struct cli *c);
/* Names of files, directories replaced by the *.yaml and *.yml in them, sorted. In c's arena;
 * NULL: the reason was printed. */
const char **cli_expand(struct cli *c, const char *const *names, size_t n, size_t *count);
/* The whole of a text file, "-" for standard input, in c's arena. */
MUST_CHECK bool cli_read(struct cli *c, const char *name, struct span *text, struct err *err);

/* One stream made of several files, and the way back from its lines to theirs. */
struct cli_stream {
    struct span text; /* in the arena */
    struct cli_part {
        const char *file;
        unsigned first; /* line of the stream that the file's first line became */
    } * parts;
    size_t parts_n;
};
MUST_CHECK bool cli_stream_make(struct cli *c, const char *const *files, size_t n,
                                struct cli_stream *st, struct err *err);
/* Replaces a line of the stream by the line of the file it came from, whose name it gives. */
const char *cli_stream_place(const struct cli_stream *st, unsigned *line);

/* ---- the runtime (client.c) ------------------------------------------------------------- */

/* All arguments as the body of one multipart/related: the descriptor of a temporary file (close()), and
 * its Content-Type. -1: refused, said already. */
int cli_together(struct cli *c, const char **content_type);
/* Makes path longer by one query parameter; value NULL: leaves it as it is. */
const char *cli_query(struct cli *c, const char *path, const char *name, const char *value);
/* text with what is special in a path or query written %XX. */
const char *cli_escape(struct cli *c, const char *text);
/* Calls; CLI_DONE with *answer (given: json_decref), or the exit status after having said why.
 * With --json a refusal is also printed as the JSON it came as. body: may be NULL. */
int cli_call(struct cli *c, const char *method, const char *path, const struct span *body,
             json_t **answer);
/* The same for all else: call's url becomes that of path. *reply is collected as http_call
 * says. Whatever its status, CLI_DONE when there is an answer. */
struct http_call;
struct http_reply;
int cli_http(struct cli *c, struct http_call *call, const char *path, struct http_reply *reply);
/* Says what an answer with an error status says; gives CLI_REFUSED. */
int cli_answer_refused(struct cli *c, int status, struct span body);
/* Pretty, on standard output. */
void cli_print_json(const json_t *v);
/* A request whose answer is printed as JSON, or else by show. */
int cli_call_show(struct cli *c, const char *method, const char *path,
                  void (*show)(struct cli *c, const json_t *answer));
/* Whether anybody accepts on the socket. */
bool cli_runtime_answers(const char *socket_path);
/* NULL: the reason was printed, *status is the exit status. */
const char *cli_socket(struct cli *c, int *status);

/* Members of a JSON object; "" and 0 when missing. */
const char *cli_j_text(const json_t *o, const char *key);
int64_t cli_j_int(const json_t *o, const char *key);
bool cli_j_bool(const json_t *o, const char *key);
/* A number as text, "" for null and missing. */
const char *cli_j_number(struct cli *c, const json_t *o, const char *key);

/* Calls with a JSON body (taken); CLI_DONE with *answer, as cli_call. */
int cli_call_json(struct cli *c, const char *path, json_t *body, json_t **answer);
/* The first line of what --password-file or --password-stdin name; *out NULL: neither is given. */
MUST_CHECK bool cli_password(struct cli *c, const char **out, struct err *err);

/* ---- for people (format.c, table.c, progress.c) ----------------------------------------- */

/* "999 B", "1.5 MB": text[16]. */
void cli_size_text(uint64_t octets, char text[16]);
/* "2026-11-21 10:15:00Z" of an API time, "" of "". In the arena. */
const char *cli_time_text(struct cli *c, const char *time);
/* "90s", "5m", "2h", "1d", "500ms", "30" (seconds). */
bool cli_duration_of(const char *text, uint64_t *ms);
/* What terminals might act on is written \xNN. Given: free(). */
char *cli_safe(const char *text);
/* cli_safe(text) to a stream. */
void cli_put_safe(FILE *f, const char *text);

/* Aligned columns. */
struct cli_table {
    size_t columns, cells_n, cap;
    char **cells; /* row by row, the headings first */
    bool right[16];
};
/* heads: NULL-ended; ">SIZE" is set flush right. At most 16. */
void cli_table_begin(struct cli_table *t, const char *const *heads);
/* As many cells as there are columns; NULL means "". */
void cli_table_row(struct cli_table *t, const char *const *cells);
/* Prints and frees. Columns without any content are left out. indent: blanks before. */
void cli_table_end(struct cli_table *t, FILE *f, unsigned indent);

/* A line on the terminal that follows something long. */
struct cli_progress {
    const char *name;
    uint64_t total; /* 0: not known */
    uint64_t begin_ms, shown_ms;
    uint64_t begin_done; /* octets moved before it was watched */
    bool on;             /* standard error is a terminal */
    bool visible;
};
void cli_progress_begin(struct cli_progress *p, const char *name, uint64_t total);
/* It begins only now, or again: with done octets of total there already. */
void cli_progress_restart(struct cli_progress *p, uint64_t done, uint64_t total);
void cli_progress_at(struct cli_progress *p, uint64_t done);
void cli_progress_end(struct cli_progress *p); /* takes the line away */
/* "orders.edi  45 %  450 MB of 1.0 GB  310 MB/s" */
void cli_progress_text(char *text, size_t cap, const char *name, uint64_t done, uint64_t total,
                       uint64_t rate);

/* ---- commands --------------------------------------------------------------------------- */

extern const struct cli_command cmd_serve, cmd_check, cmd_dump, cmd_apply, cmd_get, cmd_delete,
    cmd_listeners, cmd_documents, cmd_show, cmd_send, cmd_retry, cmd_resend, cmd_reprocess,
    cmd_acknowledge, cmd_reject, cmd_cancel, cmd_receipts, cmd_jobs, cmd_sessions, cmd_call,
    cmd_test, cmd_trace, cmd_download, cmd_certificates, cmd_exchange, cmd_trust_list,
    cmd_users, cmd_tokens, cmd_audit, cmd_bench, cmd_backup, cmd_restore, cmd_init,
    cmd_completion, cmd_components, cmd_versions, cmd_diff, cmd_settings, cmd_log_level,
    cmd_alert_test, cmd_explain, cmd_reload, cmd_stop, cmd_version, cmd_help;
/* NULL-ended. */
extern const struct cli_command *const cli_commands[];
int cli_help_command(const struct cli_command *cmd, FILE *f);
/* waybill(1), for man. */
void cli_man(FILE *f);
void cli_troubleshooting(FILE *f); /* docs/troubleshooting.md */

/* Follows documents until each is settled; gives the exit status (send.c uses it). limit_ms 0:
 * no limit. With --json nothing is printed and *last is the last one's JSON (given). */
int cli_follow(struct cli *c, int64_t id, const char *name, uint64_t limit_ms, json_t **last);

/* certificate_store.c: what `certificates` asks a runtime for. Each gives the exit status. */
int certificates_list(struct cli *c);
int certificates_import(struct cli *c);
int certificates_export(struct cli *c);

/* Measures; its arguments begin with its own name. Not in every build. */
int bench_main(int argc, char **argv) __attribute__((weak));

#endif
