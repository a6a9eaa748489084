/* Header blocks, RFC 5322 2.2, with the folds that as2.md 1.1 says are still met. */
#include "mime/mime.h"

#include <strings.h>

/* RFC 5322 3.6.8: printable, no colon. */
static bool is_name_octet(uint8_t c)
{
    return c > ' ' && c < 0x7f && c != ':';
}

static bool is_blank(uint8_t c)
{
    return c == ' ' || c == '\t';
}

/* The next line of *block without its end, and what it took with it. A last line may have none. */
static struct span next_line(struct span *block)
{
    const uint8_t *lf = block->n > 0 ? memchr(block->p, '\n', block->n) : NULL;
    struct span line = *block;

    if (lf != NULL)
        line.n = (size_t)(lf - block->p);
    span_skip(block, lf != NULL ? line.n + 1 : line.n);
    if (lf != NULL && line.n > 0 && line.p[line.n - 1] == '\r')
        line.n--;
    return line;
}

/* A line with those that continue it, as they are. */
static struct span next_field(struct span *block)
{
    struct span field = next_line(block);

    while (field.n > 0 && block->n > 0 && is_blank(block->p[0])) {
        struct span more = next_line(block);

        field.n = (size_t)(more.p + more.n - field.p);
    }
    return field;
}

/* Folds joined with one blank, blanks around it cut. */
static char *join(struct span raw, struct arena *a)
{
    char *text = arena_take(a, raw.n + 1);
    size_t n = 0;

    if (text == NULL)
        return NULL;
    while (raw.n > 0) {
        struct span line = next_line(&raw);

        while (line.n > 0 && is_blank(line.p[0]))
            span_skip(&line, 1);
        while (line.n > 0 && is_blank(line.p[line.n - 1]))
            line.n--;
        if (line.n > 0) {
            if (n > 0)
                text[n++] = ' ';
            memcpy(text + n, line.p, line.n);
            n += line.n;
        }
    }
    text[n] = '\0';
    return text;
}

/* A CR that ends no line is a line's end to some readers. */
static bool has_bare_cr(struct span s)
{
    const uint8_t *cr;

    while (s.n > 0 && (cr = memchr(s.p, '\r', s.n)) != NULL) {
        span_skip(&s, (size_t)(cr - s.p) + 1);
        if (s.n == 0 || s.p[0] != '\n')
            return true;
    }
    return false;
}

static bool is_single(const char *name)
{
    return strcasecmp(name, "Content-Type") == 0 ||
           strcasecmp(name, "Content-Transfer-Encoding") == 0 ||
           strcasecmp(name, "Content-Disposition") == 0;
}

static bool read_field(struct span raw, struct arena *a, struct mime_head *h, struct err *err)
{
    struct mime_field *f = &h->fields[h->n];
    size_t n = 0;

    if (raw.n > MIME_LINE_MAX)
        return FAIL(err, FAIL_PEER, 0, "MIME header: a line of more than %d octets",
                    MIME_LINE_MAX);
    if (memchr(raw.p, '\0', raw.n) != NULL)
        return FAIL(err, FAIL_PEER, 0, "MIME header: a NUL octet in line %zu", h->n + 1);
    if (has_bare_cr(raw))
        return FAIL(err, FAIL_PEER, 0, "MIME header: a CR without LF in line %zu", h->n + 1);
    while (n < raw.n && is_name_octet(raw.p[n]))
        n++;
    if (n == raw.n || n == 0 || raw.p[n] != ':')
        return FAIL(err, FAIL_PEER, 0, "MIME header: line %zu is not \"name: value\"",
                    h->n + 1);
    if (h->n == MIME_FIELDS_MAX)
        return FAIL(err, FAIL_PEER, 0, "MIME header: more than %d fields", MIME_FIELDS_MAX);
    f->name = arena_copy(a, span_of(raw.p, n));
    f->value = join(span_of(raw.p + n + 1, raw.n - n - 1), a);
    if (f->name == NULL || f->value == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "MIME header: memory is out");
    if (is_single(f->name) && mime_head_get(h, f->name) != NULL)
        return FAIL(err, FAIL_PEER, 0, "MIME header: more than one %s", f->name);
    h->n++;
    return true;
}

bool mime_head_read(struct span block, struct arena *a, struct mime_head *h, struct err *err)
{
    struct mime_head head = { arena_take(a, MIME_FIELDS_MAX * sizeof(*head.fields)), 0 };
    const uint8_t *begin = block.p;

    if (head.fields == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "MIME header: memory is out");
    if (block.n > 0 && is_blank(block.p[0]))
        return FAIL(err, FAIL_PEER, 0, "MIME header: blanks before the first field");
    while (block.n > 0) {
        struct span raw = next_field(&block);

        if (raw.n == 0)
            break;
        if ((size_t)(block.p - begin) > MIME_HEAD_MAX)
            return FAIL(err, FAIL_PEER, 0, "MIME header: more than %d octets", MIME_HEAD_MAX);
        if (!read_field(raw, a, &head, err))
            return false;
    }
    *h = head;
    return true;
}

const char *mime_head_get(const struct mime_head *h, const char *name)
{
    for (size_t i = 0; i < h->n; i++)
        if (strcasecmp(h->fields[i].name, name) == 0)
            return h->fields[i].value;
    return NULL;
}
