#include "base/trouble.h"

#include <ctype.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

const struct trouble_table *const trouble_tables[3] = { &trouble_events, &trouble_codes,
                                                        &trouble_texts };

static bool is_word(char c)
{
    return isalnum((unsigned char)c) || c == '_' || c == '.';
}

/* Where word stands in text, not as a part of a longer one; NULL: nowhere. */
static const char *find_word(const char *text, const char *word)
{
    size_t n = strlen(word);

    for (const char *p = text; *p != '\0'; p++)
        if (strncasecmp(p, word, n) == 0 && (p == text || !is_word(p[-1])) &&
            (!is_word(p[n]) || (p[n] == '.' && !isalnum((unsigned char)p[n + 1]))))
            return p;
    return NULL;
}

/* "esid=4", "ESID(04)", "esid 4". */
static bool has_code(const char *text, const char *name, const char *key)
{
    const char *p = text;

    while ((p = find_word(p, name)) != NULL) {
        char *end;
        long v;

        p += strlen(name);
        p += strspn(p, " =(:\"");
        v = strtol(p, &end, 10);
        if (end != p && !isalnum((unsigned char)*end) && v == atol(key))
            return true;
    }
    return false;
}

static bool contains(const char *text, const char *piece, size_t n)
{
    for (; strlen(text) >= n; text++)
        if (strncasecmp(text, piece, n) == 0)
            return true;
    return false;
}

/* One of those between the bars. */
static bool has_piece(const char *text, const char *pieces)
{
    while (*pieces != '\0') {
        size_t n = strcspn(pieces, "|");

        if (contains(text, pieces, n))
            return true;
        pieces += n;
        pieces += *pieces == '|';
    }
    return false;
}

static bool fits(const struct trouble *t, const char *text)
{
    switch (t->kind) {
    case TROUBLE_EVENT:
        return find_word(text, t->key) != NULL;
    case TROUBLE_ESID:
        return has_code(text, "esid", t->key);
    case TROUBLE_ANSWER:
        return has_code(text, "sfna", t->key) || has_code(text, "efna", t->key);
    case TROUBLE_NERP:
        return has_code(text, "nerp", t->key);
    case TROUBLE_DISPOSITION:
        return contains(text, t->key, strlen(t->key));
    case TROUBLE_HTTP:
        return has_code(text, "http", t->key) || has_code(text, "status", t->key);
    default:
        return has_piece(text, t->key);
    }
}

const struct trouble *trouble_find(const char *text, size_t *at)
{
    size_t seen = 0;

    for (size_t i = 0; i < sizeof(trouble_tables) / sizeof(trouble_tables[0]); i++)
        for (size_t k = 0; k < trouble_tables[i]->n; k++)
            if (seen++ >= *at && fits(&trouble_tables[i]->rows[k], text)) {
                *at = seen;
                return &trouble_tables[i]->rows[k];
            }
    return NULL;
}
