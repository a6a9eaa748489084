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

/* Whether the file of that name is this very document, put there by a run that was cut off before
 * it was recorded. Only asked when there was such a run. */
static bool delivered_before(struct step_context *c, const char *name)
{
    char path[PATH_MAX];
    struct payload_reader *r = NULL;
    uint8_t *buffer = malloc(READ_SIZE);
    FILE *f = NULL;
    uint64_t at = 0;
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

        same = payload_read(r, at, (struct room) { buffer, READ_SIZE }, &got, &err);
        for (size_t n = 0; same && n < got;) {
            size_t want = got - n < sizeof(theirs) ? got - n : sizeof(theirs);

            same = fread(theirs, 1, want, f) == want && memcmp(theirs, buffer + n, want) == 0;
            n += want;
        }
        at += got;
    } while (same && got > 0);
    same = same && fgetc(f) == EOF;
out:
    payload_reader_free(r);
    if (f != NULL)
        (void)fclose(f);
    free(buffer);
    return same;
}

static bool write_numbered(struct step_context *c, const char *name, char *used, size_t cap,
                           struct err *err)
{
    bool exists = true;

    for (int n = 1; n < 10000 && exists; n++) {
        (void)snprintf(used, cap, "%.230s.%d", name, n);
        if (deliver_file(c->g, c->d, 'o', c->step->u.write.directory, used, false, &exists,
                         err))
            return true;
    }
    return false;
}

enum step_outcome step_write(struct step_context *c)
{
    const char *tmpl = c->step->u.write.name;
    const char *existing = c->step->u.write.existing;
    char *name = NULL, used[256];
    bool exists = false, replace = existing != NULL && strcmp(existing, "replace") == 0;
    struct err err = { 0 };
    bool ok;

    if (!template_expand(tmpl == NULL ? "{{document.id}}-{{document.name}}" : tmpl, c->d, c->x,
                         c->arena, &name, &err)) {
        (void)text_copy(c->text, sizeof(c->text), err.text);
        return STEP_FAILED;
    }
    make_safe(name);
    if (name[0] == '\0') {
        (void)snprintf(c->text, sizeof(c->text), "the template '%s' gives an empty file name",
                       tmpl);
        return STEP_FAILED;
    }
    (void)text_copy(used, sizeof(used), name);
    ok =
        deliver_file(c->g, c->d, 'o', c->step->u.write.directory, name, replace, &exists, &err);
    if (!ok && exists && c->d->redelivered && delivered_before(c, name)) {
        (void)snprintf(c->text, sizeof(c->text), "%s/%s is there from the run before",
                       c->step->u.write.directory, name);
        return STEP_DONE;
    }
    if (!ok && exists && existing != NULL && strcmp(existing, "number") == 0)
        ok = write_numbered(c, name, used, sizeof(used), &err);
    if (!ok && exists)
        (void)snprintf(c->text, sizeof(c->text),
                       "%s: make the name unique with {{document.id}}, or set existing to "
                       "replace or number",
                       err.text);
    else if (!ok)
        (void)text_copy(c->text, sizeof(c->text), err.text);
    else
        (void)snprintf(c->text, sizeof(c->text), "%s/%s", c->step->u.write.directory, used);
    return ok ? STEP_DONE : STEP_FAILED;
}
