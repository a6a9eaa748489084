/* Settings and component files. */
#include "cli/cli.h"

#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

const char *cli_config_path(const struct cli *c)
{
    const char *named = getenv("WAYBILL_CONFIG");

    if (c->config != NULL)
        return c->config;
    if (named != NULL && named[0] != '\0')
        return named;
    return access("waybill.yaml", F_OK) == 0 ? "waybill.yaml" : "/etc/waybill/waybill.yaml";
}

struct config_runtime *cli_config_load(const struct cli *c)
{
    struct config_problems ps = { 0 };
    const char *path = cli_config_path(c);
    struct config_runtime *rt = NULL;

    if (access(path, R_OK) != 0)
        cli_refused("settings '%s': %s%s", path, strerror(errno),
                    c->config == NULL ? "; name the file with --config FILE" : "");
    else
        rt = config_runtime_load(path, &ps);
    cli_problems(&ps);
    config_problems_free(&ps);
    return rt;
}

/* ---- lists of files --------------------------------------------------------------------- */

struct names {
    const char **list;
    size_t n, cap;
};

static void names_add(struct cli *c, struct names *to, const char *name)
{
    if (to->n == to->cap) {
        size_t cap = to->cap > 0 ? 2 * to->cap : 16;
        const char **more = cli_have(arena_take(&c->arena, cap * sizeof(*more)));

        if (to->n > 0)
            memcpy(more, to->list, to->n * sizeof(*more));
        to->list = more;
        to->cap = cap;
    }
    to->list[to->n++] = name;
}

static int is_yaml(const struct dirent *e)
{
    size_t n = strlen(e->d_name);

    return e->d_name[0] != '.' && ((n > 5 && strcmp(e->d_name + n - 5, ".yaml") == 0) ||
                                   (n > 4 && strcmp(e->d_name + n - 4, ".yml") == 0));
}

/* Names in the order of their octets, whatever the locale. */
static int by_octets(const struct dirent **a, const struct dirent **b)
{
    return strcmp((*a)->d_name, (*b)->d_name);
}

static bool add_directory(struct cli *c, struct names *to, const char *name)
{
    struct dirent **found;
    int n = scandir(name, &found, is_yaml, by_octets);

    if (n < 0) {
        cli_refused("'%s': %s", name, strerror(errno));
        return false;
    }
    for (int i = 0; i < n; i++) {
        names_add(c, to, cli_printf(c, "%s/%s", name, found[i]->d_name));
        free(found[i]);
    }
    free(found);
    if (n == 0)
        cli_refused("'%s': no *.yaml in this directory", name);
    return n > 0;
}

const char **cli_expand(struct cli *c, const char *const *names, size_t n, size_t *count)
{
    struct names to = { 0 };

    for (size_t i = 0; i < n; i++) {
        struct stat st;

        if (strcmp(names[i], "-") != 0 && stat(names[i], &st) == 0 && S_ISDIR(st.st_mode)) {
            if (!add_directory(c, &to, names[i]))
                return NULL;
        } else {
            names_add(c, &to, names[i]);
        }
    }
    *count = to.n;
    return to.list;
}

/* ---- reading ---------------------------------------------------------------------------- */

bool cli_read(struct cli *c, const char *name, struct span *text, struct err *err)
{
    bool in = strcmp(name, "-") == 0;
    FILE *f = in ? stdin : fopen(name, "rbe");
    char *p = cli_have(malloc((size_t)CONFIG_TEXT_MAX + 1));
    bool ok = false;
    size_t n;

    if (f == NULL) {
        free(p);
        return FAIL(err, FAIL_LOCAL, 0, "'%s': %m", name);
    }
    n = fread(p, 1, (size_t)CONFIG_TEXT_MAX + 1, f);
    if (ferror(f))
        FAIL(err, FAIL_LOCAL, 0, "'%s': %m", name);
    else if (n > CONFIG_TEXT_MAX)
        FAIL(err, FAIL_LOCAL, 0, "'%s' is longer than %d octets", name, (int)CONFIG_TEXT_MAX);
    else
        ok = true;
    if (ok)
        *text = span_of(cli_have(arena_copy(&c->arena, span_of(p, n))), n);
    if (!in)
        fclose(f);
    free(p);
    return ok;
}

/* ---- one stream of many files ----------------------------------------------------------- */

enum first { FIRST_NONE, FIRST_MARK, FIRST_OTHER };

/* What the first line with content is: nothing at all, a document's begin, something else. */
static enum first first_line(struct span s)
{
    while (s.n > 0) {
        const uint8_t *end = memchr(s.p, '\n', s.n);
        size_t n = end != NULL ? (size_t)(end - s.p) : s.n, i = 0;

        while (i < n && (s.p[i] == ' ' || s.p[i] == '\t' || s.p[i] == '\r'))
            i++;
        if (i < n && s.p[i] != '#')
            return n >= 3 && memcmp(s.p, "---", 3) == 0 ? FIRST_MARK : FIRST_OTHER;
        span_skip(&s, end != NULL ? n + 1 : n);
    }
    return FIRST_NONE;
}

static unsigned lines(struct span s)
{
    unsigned n = 0;

    for (size_t i = 0; i < s.n; i++)
        n += s.p[i] == '\n';
    return n;
}

/* Files without content are left out: between "---" and "---" they would be empty documents. */
bool cli_stream_make(struct cli *c, const char *const *files, size_t n, struct cli_stream *st,
                     struct err *err)
{
    struct span *texts = cli_have(arena_take(&c->arena, (n + 1) * sizeof(*texts)));
    size_t total = 0, at = 0;
    uint8_t *all;

    for (size_t i = 0; i < n; i++) {
        if (!cli_read(c, files[i], &texts[i], err))
            return false;
        if (texts[i].n >= 3 && memcmp(texts[i].p, "\xEF\xBB\xBF", 3) == 0)
            span_skip(&texts[i], 3);
        total += texts[i].n + 5;
    }
    all = cli_have(arena_take(&c->arena, total + 1));
    st->parts = cli_have(arena_take(&c->arena, (n + 1) * sizeof(*st->parts)));
    st->parts_n = 0;
    for (size_t i = 0; i < n; i++) {
        enum first first = first_line(texts[i]);

        if (first == FIRST_NONE)
            continue;
        if (at > 0 && all[at - 1] != '\n')
            all[at++] = '\n';
        if (at > 0 && first == FIRST_OTHER) {
            memcpy(all + at, "---\n", 4);
            at += 4;
        }
        st->parts[st->parts_n++] = (struct cli_part) { files[i], lines(span_of(all, at)) + 1 };
        memcpy(all + at, texts[i].p, texts[i].n);
        at += texts[i].n;
    }
    st->text = span_of(all, at);
    return true;
}

const char *cli_stream_place(const struct cli_stream *st, unsigned *line)
{
    const struct cli_part *found = NULL;

    for (size_t i = 0; i < st->parts_n; i++)
        if (st->parts[i].first <= *line)
            found = &st->parts[i];
    if (found == NULL)
        return st->parts_n > 0 ? st->parts[0].file : "";
    *line -= found->first - 1;
    return found->file;
}
