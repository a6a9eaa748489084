/* Which settings of waybill.yaml are other ones now: by what `waybill dump` shows of both. */
#include "config/config.h"

#include <stdlib.h>

enum { SETTINGS_MAX = 400 };

/* One setting of a section, "oftp2_server.credit", or a section that is a value itself, "store"; lines: all
 * that belongs to it but comments. */
struct setting {
    const char *name;
    char *lines;
};

struct settings {
    struct setting list[SETTINGS_MAX];
    size_t n;
};

static struct span next_line(const char **text)
{
    size_t n = strcspn(*text, "\n");
    struct span line = span_of(*text, n);

    *text += n + ((*text)[n] == '\n');
    return line;
}

/* The lines of a dump, indented by two a level, each setting on lines of its own. */
static void take_apart(const char *dump, struct settings *out, struct arena *a)
{
    const char *section = "";

    for (out->n = 0; *dump != '\0' && !a->failed;) {
        struct span line = next_line(&dump);
        const char *p = (const char *)line.p, *colon = memchr(p, ':', line.n);
        size_t deep = 0;

        while (deep < line.n && p[deep] == ' ')
            deep++;
        if (deep == line.n || p[deep] == '#')
            continue;
        if (deep == 0 && colon != NULL)
            section = arena_copy(a, span_of(p, (size_t)(colon - p)));
        if (deep <= 2 && p[deep] != '-' && colon != NULL && out->n < SETTINGS_MAX)
            out->list[out->n++] =
                (struct setting) { deep == 0
                                       ? section
                                       : arena_printf(a, "%s.%.*s", section,
                                                      (int)(colon - p - (long)deep), p + deep),
                                   arena_copy(a, line) };
        else if (out->n > 0)
            out->list[out->n - 1].lines =
                arena_printf(a, "%s\n%.*s", out->list[out->n - 1].lines, (int)line.n, p);
    }
}

static const char *lines_of(const struct settings *s, const char *name)
{
    for (size_t i = 0; i < s->n; i++)
        if (strcmp(s->list[i].name, name) == 0)
            return s->list[i].lines;
    return NULL;
}

static bool within(const char *name, const char *const *sections)
{
    for (; *sections != NULL; sections++) {
        size_t n = strlen(*sections);

        if (strncmp(name, *sections, n) == 0 && (name[n] == '\0' || name[n] == '.'))
            return true;
    }
    return false;
}

/* Those of x that y has not (missing), or has otherwise. */
static char *add(char *told, const struct settings *x, const struct settings *y, bool missing,
                 const char *const *but, struct arena *a)
{
    for (size_t i = 0; told != NULL && i < x->n; i++) {
        const char *name = x->list[i].name, *other = lines_of(y, name);

        if ((other == NULL) != missing || within(name, but) ||
            (other != NULL && strcmp(other, x->list[i].lines) == 0))
            continue;
        told = arena_printf(a, "%s%s%s", told, *told == '\0' ? "" : ", ", name);
    }
    return told;
}

char *config_runtime_changes(const struct config_runtime *was, const struct config_runtime *now,
                             const char *const *but, struct arena *a)
{
    struct settings *x = arena_take(a, sizeof(*x)), *y = arena_take(a, sizeof(*y));
    char *first = config_runtime_dump(was), *second = config_runtime_dump(now), *told = NULL;

    if (x != NULL && y != NULL && first != NULL && second != NULL) {
        take_apart(first, x, a);
        take_apart(second, y, a);
        if (!a->failed)
            told = arena_text(a, "");
        told = add(told, y, x, false, but, a);
        told = add(told, y, x, true, but, a);
        told = add(told, x, y, true, but, a);
    }
    free(first);
    free(second);
    return told;
}
