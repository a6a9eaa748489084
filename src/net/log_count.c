#include "net/log_count.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct log_count counts[LOG_COUNTS_MAX];
static size_t counts_n;

static bool is_number(const char *text)
{
    size_t n = strspn(text, "0123456789");

    return n > 0 && n <= 3 && text[n] == '\0';
}

/* What the protocols have fixed lists for: their number is bounded. */
static void code_of(va_list pairs, char code[LOG_CODE_MAX])
{
    static const char *const numbers[] = { "esid", "sfna", "efna", "nerp", "status" };
    const char *key;

    code[0] = '\0';
    while ((key = va_arg(pairs, const char *)) != NULL) {
        const char *value = va_arg(pairs, const char *);

        if (value == NULL)
            continue;
        if (strcmp(key, "disposition") == 0) {
            (void)snprintf(code, LOG_CODE_MAX, "%s", value);
            return;
        }
        for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
            if (strcmp(key, numbers[i]) == 0 && is_number(value)) {
                (void)snprintf(code, LOG_CODE_MAX, "%s %s", key, value);
                return;
            }
    }
}

/* Under the lock. NULL: there is no place. */
static struct log_count *find(enum log_level level, const char *event, const char *code,
                              size_t places)
{
    struct log_count *c;

    for (size_t i = 0; i < counts_n; i++)
        if (counts[i].level == level && strcmp(counts[i].event, event) == 0 &&
            strcmp(counts[i].code, code) == 0)
            return &counts[i];
    if (counts_n >= places)
        return NULL;
    c = &counts[counts_n++];
    c->level = level;
    (void)snprintf(c->event, sizeof(c->event), "%s", event);
    (void)snprintf(c->code, sizeof(c->code), "%s", code);
    return c;
}

void log_count_add(enum log_level level, const char *event, va_list pairs)
{
    char code[LOG_CODE_MAX], name[LOG_EVENT_MAX];
    struct log_count *c;

    code_of(pairs, code);
    (void)snprintf(name, sizeof(name), "%s", event);
    pthread_mutex_lock(&lock);
    c = find(level, name, code, LOG_COUNTS_MAX - 2);
    if (c == NULL)
        c = find(level, "other", "", LOG_COUNTS_MAX);
    if (c != NULL)
        c->n++;
    pthread_mutex_unlock(&lock);
}

size_t log_counts(struct log_count *list, size_t cap)
{
    size_t n;

    pthread_mutex_lock(&lock);
    n = counts_n < cap ? counts_n : cap;
    memcpy(list, counts, n * sizeof(*list));
    pthread_mutex_unlock(&lock);
    return n;
}
