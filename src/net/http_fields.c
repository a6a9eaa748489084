/* The header of an answer, collected as it came, taken apart. RFC 9112 5. */
#include "net/http_client_int.h"

static bool is_blank(char c)
{
    return c == ' ' || c == '\t';
}

/* The line at *at without its end and the blanks around; *at: the next. Ends with NUL. */
static char *cut_line(char **at)
{
    char *line = *at, *lf = strchr(line, '\n');
    size_t n;

    *at = lf != NULL ? lf + 1 : line + strlen(line);
    n = (size_t)(lf != NULL ? lf - line : *at - line);
    while (n > 0 && (line[n - 1] == '\r' || is_blank(line[n - 1])))
        n--;
    line[n] = '\0';
    while (is_blank(*line))
        line++;
    return line;
}

/* Values move only towards the beginning of the text, so each octet is moved once. */
static char *join(const char *value, char *end, const char *line)
{
    size_t n = strlen(line);

    if (n == 0)
        return end;
    if (end > value)
        *end++ = ' ';
    memmove(end, line, n + 1);
    return end + n;
}

bool http_reply_fields(const struct http_transfer *t, struct arena *a,
                       struct http_field fields[HTTP_FIELDS_MAX], size_t *n, struct err *err)
{
    char *at = arena_copy(a, span_of(t->head.p, t->head.n));
    char *end = NULL; /* of the last value */

    *n = 0;
    if (at == NULL)
        return FAIL(err, FAIL_LOCAL, HTTP_FAIL_OTHER, "memory is out");
    while (*at != '\0') {
        bool folded = is_blank(*at);
        char *line = cut_line(&at), *colon = strchr(line, ':');

        if (folded && end != NULL) {
            end = join(fields[*n - 1].value, end, line);
            continue;
        }
        if (colon == NULL || colon == line) /* libcurl let it pass; nobody asks for it */
            continue;
        if (*n == HTTP_FIELDS_MAX)
            return FAIL(err, FAIL_PEER, HTTP_FAIL_ANSWER,
                        "the answer has more than %d header fields", HTTP_FIELDS_MAX);
        end = line + strlen(line);
        *colon++ = '\0';
        while (is_blank(*colon))
            colon++;
        fields[(*n)++] = (struct http_field) { line, colon };
    }
    return true;
}
