/* The step `write`: the document into a directory, whole or not at all. */
#include "gateway/delivery.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>

/* The name comes from a template, the template's values from the partner: no octet of them may
 * choose a directory or hide the file. */
static void make_safe(char *name)
{
    for (char *p = name; *p != '\0'; p++)
        if (*p == '/' || *p == '\\' || (unsigned char)*p < 0x20 || *p == 0x7F)
            *p = '_';
    if (name[0] == '.')
        name[0] = '_';
    if (strlen(name) > 240)
        name[oftp_utf8_cut(name, strlen(name), 240)] = '\0';
}

/* Whether the file of that name is this very document, put there by a run that was cut off or failed
 * before it was recorded. Only asked when there was such a run. */
static bool delivered_before(struct step_context *c, const struct document_part *part,
                             const char *name)
{
    char path[PATH_MAX];
    struct payload_reader *r = NULL;
    uint8_t *buffer = malloc(READ_SIZE);
    FILE *f = NULL;
    uint64_t at = part->at, left = part->left;
    size_t got = 0;
    struct err err;
    bool same = false;

    (void)snprintf(path, sizeof(path), "%s/%s", c->step->u.write.directory, name);
    if (buffer == NULL || (f = fopen(path, "rbe")) == NULL ||
        !payload_open(c->g->store, c->d->id, document_opened_role(c->d), &c->d->opened, &r,
                      &err))
        goto out;
    do {
        uint8_t theirs[4096];
        size_t most = left < READ_SIZE ? (size_t)left : READ_SIZE;

        same = payload_read(r, at, (struct room) { buffer, most }, &got, &err);
        for (size_t n = 0; same && n < got;) {
            size_t want = got - n < sizeof(theirs) ? got - n : sizeof(theirs);

            same = fread(theirs, 1, want, f) == want && memcmp(theirs, buffer + n, want) == 0;
            n += want;
        }
        at += got;
        left -= got;
    } while (same && got > 0 && left > 0);
    same = same && fgetc(f) == EOF;
out:
    payload_reader_free(r);
    if (f != NULL)
        (void)fclose(f);
    free(buffer);
    return same;
}

/* *before: the file of that name is this document, from the run before. */
static bool write_as(struct step_context *c, const struct document_part *part, const char *name,
                     bool replace, bool *exists, bool *before, struct err *err)
{
    bool ok = deliver_part(c->g, c->d, 'o', part, c->step->u.write.directory, name, replace,
                           exists, err);

    *before = !ok && *exists && c->d->redelivered && delivered_before(c, part, name);
    return ok || *before;
}

static bool write_numbered(struct step_context *c, const struct document_part *part,
                           const char *name, char *used, size_t cap, bool *exists, bool *before,
                           struct err *err)
{
    for (int n = 1; n < 10000 && *exists; n++) {
        (void)snprintf(used, cap, "%.230s.%d", name, n);
        if (write_as(c, part, used, false, exists, before, err))
            return true;
    }
    return false;
}

static bool write_part(struct step_context *c, const struct document_part *part,
                       struct err *err)
{
    const char *tmpl = c->step->u.write.name;
    const char *existing = c->step->u.write.existing, *directory = c->step->u.write.directory;
    struct document view = *c->d;
    char *name = NULL, used[256];
    bool exists = false, replace = existing != NULL && strcmp(existing, "replace") == 0;
    bool before = false, ok;

    view.name = part->name;
    if (!template_expand(tmpl == NULL ? "{{document.id}}-{{document.name}}" : tmpl, &view, c->x,
                         c->arena, &name, err))
        return false;
    make_safe(name);
    if (name[0] == '\0')
        return FAIL(err, FAIL_LOCAL, 0, "the template '%s' gives an empty file name", tmpl);
    (void)text_copy(used, sizeof(used), name);
    ok = write_as(c, part, name, replace, &exists, &before, err);
    if (!ok && exists && existing != NULL && strcmp(existing, "number") == 0)
        ok = write_numbered(c, part, name, used, sizeof(used), &exists, &before, err);
    if (!ok && exists) {
        char why[sizeof(err->text)];

        (void)text_copy(why, sizeof(why), err->text);
        return FAIL(err, FAIL_LOCAL, 0,
                    "%s: make the name unique with {{document.id}}, or set existing to replace "
                    "or number",
                    why);
    }
    if (ok)
        (void)snprintf(c->text, sizeof(c->text), "%s/%s%s", directory, used,
                       before ? " is there from the run before" : "");
    return ok;
}

enum step_outcome step_write(struct step_context *c)
{
    size_t n = document_parts(c->d);
    struct err err = { 0 };

    for (size_t i = 0; i < n; i++) {
        struct document_part part;

        document_part(c->d, i, &part);
        if (!write_part(c, &part, &err)) {
            c->maybe_done = i > 0 || err.wire == DELIVER_NAMED;
            (void)text_copy(c->text, sizeof(c->text), err.text);
            return STEP_FAILED;
        }
    }
    if (n > 1)
        (void)snprintf(c->text, sizeof(c->text), "%zu parts into %s", n,
                       c->step->u.write.directory);
    return STEP_DONE;
}
