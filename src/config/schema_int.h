/* The tables that describe every mapping, and the walker that loads any mapping from them.
 * One row is one setting: the loader, the checks, the dump and the reference all read it. */
#ifndef WAYBILL_CONFIG_SCHEMA_INT_H
#define WAYBILL_CONFIG_SCHEMA_INT_H

#include "config/config.h"

#include <yaml.h>

enum {
    CONFIG_NODES_MAX = 100000, /* values of one YAML text: bounds memory and time        */
    CONFIG_LIST_MAX = 1000,    /* items of a list whose row has no limit of its own      */
    CONFIG_VALUE_MAX = 4096,   /* octets of a text whose row has no limit of its own     */
    CONFIG_SHOWN_MAX = 60,     /* octets of a stranger's text repeated in a problem      */
};

enum row_type {
    ROW_TEXT,     /* const char *                                               */
    ROW_WORD,     /* const char *: one of .words                                */
    ROW_CHOICE,   /* int (an enum): the value of one of .words                  */
    ROW_EITHER,   /* bool: the value of one of two .words                       */
    ROW_BOOL,     /* bool                                                       */
    ROW_MAYBE,    /* int: -1 when not given, else 0 or 1                        */
    ROW_NUMBER,   /* uint32_t                                                   */
    ROW_PORT,     /* uint16_t                                                   */
    ROW_DURATION, /* uint64_t, milliseconds                                     */
    ROW_SIZE,     /* uint64_t, octets                                           */
    ROW_SECRET,   /* struct config_secret                                       */
    ROW_PASSWORD, /* struct config_secret, and a bool at .also for {any: true}  */
    ROW_TEXTS,    /* const char *const *, ends with NULL; .words: each one of them */
    ROW_MAP,      /* .sub, loaded at .offset; .also: bool "it was given", or 0  */
    ROW_LIST,     /* pointer to elements of .sub; .also: size_t with the number */
    ROW_STEPS,    /* as ROW_LIST; each element is one of the rows of .sub       */
};

enum row_flag {
    ROW_REQUIRED = 1, /* must be given when its mapping is                              */
    ROW_TEMPLATE = 2, /* text with {{names}}                                            */
    ROW_LINES = 4,    /* text of several lines                                          */
    ROW_ZERO = 8,     /* number, duration or size: 0 is allowed below .min, too         */
    ROW_SWITCH = 16,  /* ROW_MAP that may also be true or false: its first row          */
    ROW_EMPTY = 32,   /* text: "" is allowed                                            */
    ROW_HIDDEN = 64,  /* text hidden as secrets are (config_mask)                       */
    ROW_ABSENT = 128, /* ROW_MAP with .also: without it there is nothing to dump        */
};

enum row_refers {
    REFERS_NOWHERE,
    REFERS_CERTIFICATE,
    REFERS_KEY,     /* a certificate with its private key */
    REFERS_PARTNER, /* one with oftp2 settings */
    REFERS_IDENTITY,
    REFERS_PARTNER_AS2, /* one with as2 settings */
    REFERS_IDENTITY_AS2,
    REFERS_PARTNER_ANY, /* what it must have is checked elsewhere */
    REFERS_IDENTITY_ANY,
};

/* One word of a ROW_WORD, ROW_CHOICE, ROW_EITHER or ROW_TEXTS. .text is what is stored; NULL: .name itself. A word
 * whose text is another one is a synonym and not documented. */
struct word {
    const char *name;
    int value;
    const char *text;
};

struct mapping;

/* Says what is wrong with a value in words that go after "'name' ", or NULL. */
typedef const char *text_check(const char *value);

struct row {
    const char *name;
    enum row_type type;
    size_t offset, also;
    const char *def;          /* as it would stand in the file; NULL: none       */
    const char *def_shown;    /* for the reference, when the default is computed */
    uint64_t min, max;        /* numbers; octets of a text; items of a list      */
    const struct word *words; /* ends with .name NULL                         */
    const struct mapping *sub;
    /* ROW_MAP: loaded from .other instead of .sub when the text at offset .by of the same target is
     * .when; .by is of a row before this one. */
    const struct mapping *other;
    size_t by;
    const char *when;
    text_check *check;
    unsigned flags;
    enum row_refers refers;
    const char *help;
};

struct walk;

struct mapping {
    const char *name; /* its place, for headings: "oftp2_server.endpoints[]" */
    const char *help;
    const char *example; /* YAML for the reference; NULL: none */
    const struct row *rows;
    size_t rows_n;
    size_t size; /* of the struct: list elements and detached mappings */
    size_t kind; /* 1 + offset of an enum that ROW_STEPS sets, 0: none */
    size_t at;   /* 1 + offset of a struct config_at, 0: none          */
    /* The same place of the other protocol: its settings are refused with its name. */
    const struct mapping *foreign;
    const char *protocol; /* "OFTP2", "AS2"; NULL: both */
    /* Checks over several settings of one mapping, and computed defaults. node: NULL when the
     * mapping is not in the file. */
    void (*done)(struct walk *w, const yaml_node_t *node, void *target);
};

#define AT_OFFSET(type, member) (1 + offsetof(type, member))

/* Where the value stored at one address stands in the file. */
struct config_place {
    const void *value;
    struct config_at at;
    const struct config_place *next;
};

/* One load of one YAML document. */
struct walk {
    struct arena *arena; /* values and places are taken from it */
    struct config_problems *ps;
    const char *file;
    yaml_document_t *doc; /* NULL: defaults only */
    const struct config_place *places;
    bool failed; /* something was added to *ps */
};

/* ---- scalar.c: values as text ---- */

MUST_CHECK bool scalar_number(const char *text, uint64_t *value);
MUST_CHECK bool scalar_bool(const char *text, bool *value);
MUST_CHECK bool scalar_duration(const char *text, uint64_t *ms);
MUST_CHECK bool scalar_size(const char *text, uint64_t *octets);
/* The shortest text that reads back as the same value; text has 24 octets. */
void scalar_duration_text(uint64_t ms, char text[24]);
void scalar_size_text(uint64_t octets, char text[24]);
/* The one of names[n] that `name` most likely stands for, or NULL when none is near. */
const char *scalar_nearest(const char *name, const char *const *names, size_t n);

/* ---- scan.c: a look at the whole text before anything is built from it ---- */

/* Refuses what would cost too much or mean something hidden: aliases, depth, number of values,
 * bad YAML. starts: octet offsets where the documents begin, taken from *a, n of them; the text
 * ends the last. False when there is a problem (added to *ps). */
MUST_CHECK bool scan_text(struct span yaml, const char *file, struct arena *a, size_t **starts,
                          size_t *n, struct config_problems *ps);
/* Adds the parser's own error. */
void scan_parser_problem(const yaml_parser_t *parser, struct span yaml, const char *file,
                         struct config_problems *ps);

/* ---- schema.c, value.c: the walker ---- */

/* Loads one mapping into target (zeroed by the caller), defaults included. node NULL: defaults
 * only. Problems go to w->ps and set w->failed. */
void schema_load(struct walk *w, const struct mapping *m, const yaml_node_t *node,
                 void *target);
/* "1 to 64", "0, or 10ms to 1h", or "" when a row has no limits; text has 80 octets. */
void schema_limits(const struct row *row, char text[80]);
/* One value; node NULL: the row's default. */
void schema_value(struct walk *w, const struct row *row, const yaml_node_t *node, void *target);

void walk_problem(struct walk *w, const yaml_node_t *node, const char *fmt, ...)
    __attribute__((format(printf, 3, 4)));
void walk_place(struct walk *w, const yaml_node_t *node, const void *value);
/* The plain text of a scalar without surprises, or NULL after a problem; borrowed from the
 * document. what: the setting's name. */
const char *walk_scalar(struct walk *w, const yaml_node_t *node, const char *what);
const yaml_node_t *walk_node(const struct walk *w, int index);
/* The value of `name` in a mapping, or NULL. */
const yaml_node_t *walk_find(const struct walk *w, const yaml_node_t *node, const char *name);
/* Somebody else's text made fit for one line of a problem: cut, unprintable octets replaced. */
const char *walk_shown(struct walk *w, const char *text);
struct config_at walk_at(const yaml_node_t *node);

/* Calls fn for each row of m and of the mappings below it that target holds. */
typedef void row_visit(void *ctx, const struct row *row, const void *value);
void schema_visit(const struct mapping *m, const void *target, row_visit *fn, void *ctx);

static inline const void *row_value(const struct row *row, const void *target)
{
    return (const uint8_t *)target + row->offset;
}

/* The mapping a ROW_MAP of this target is of. */
const struct mapping *row_sub(const struct row *row, const void *target);

/* ---- text checks, text.c, text_as2.c ---- */

text_check check_name, check_directory, check_path, check_odette_id, check_listen, check_store,
    check_url, check_formats, check_host, check_url_path, check_socket, check_cipher_suite,
    check_sealed_key, check_as2_id, check_ip_rule, check_as2_url, check_proxy, check_media_type,
    check_domain, check_header_text, check_username;
/* The names a template may use, in order of documentation; ends with .name NULL. */
struct template_name {
    const char *name, *help;
};
extern const struct template_name template_names[];

/* ---- the tables ---- */

/* cipher_suite.c: .value is SFIDCIPH; ends with .name NULL. */
extern const struct word cipher_suite_words[];
/* rows_as2.c: digests, ciphers; the first one of digests is MD5, which is never sent. */
extern const struct word as2_digest_words[], as2_cipher_words[];

extern const struct mapping mapping_runtime, mapping_as2_server, mapping_retention,
    mapping_alerts; /* of struct config_runtime */
/* Of struct config_component. */
extern const struct mapping mapping_certificate, mapping_identity, mapping_partner,
    mapping_process, mapping_process_retention, mapping_outbox;
extern const struct mapping mapping_identity_oftp2, mapping_identity_as2, mapping_partner_oftp2,
    mapping_partner_as2, mapping_operation_oftp2, mapping_operation_as2, mapping_from_oftp2,
    mapping_from_as2, mapping_to_oftp2, mapping_to_as2;
extern const struct mapping *const component_mappings[4]; /* by enum config_kind */

/* oftp2.md 3.4: SSIDPSWD has eight octets. */
enum { PASSWORD_MAX = 8, ODETTE_ID_MAX = 25 };

#endif
