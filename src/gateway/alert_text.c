/* What an alert says, as JSON and as a mail. Names and reasons may come from partners: they are one
 * line of clean UTF-8 before they get here (alert_copy), and the mail's header has none of them. */
#include "gateway/alert.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

static const struct {
    const char *name, *words;
} kinds[ALERT_KINDS] = {
    [ALERT_LISTENER_ERRORED] = { "listener_errored", "listener errored" },
    [ALERT_DOCUMENT_FAILED] = { "document_failed", "document failed" },
    [ALERT_RECEIPT_OVERDUE] = { "receipt_overdue", "receipt overdue" },
    [ALERT_CERTIFICATE_EXPIRING] = { "certificate_expiring", "certificate expiring" },
    [ALERT_TEST] = { "test", "test" },
};

const char *alert_kind_name(enum alert_kind k)
{
    return kinds[k].name;
}

/* Octets of the UTF-8 character in front; 0: none that is shown. */
static size_t character(const unsigned char *p)
{
    size_t n = *p < 0x80 ? 1 : (*p & 0xe0) == 0xc0 ? 2 : (*p & 0xf0) == 0xe0 ? 3 : 4;

    if (n == 1)
        return *p >= 0x20 && *p != 0x7f ? 1 : 0;
    if (*p < 0xc2 || *p > 0xf4)
        return 0;
    for (size_t i = 1; i < n; i++)
        if ((p[i] & 0xc0) != 0x80)
            return 0;
    if ((p[0] == 0xc2 && p[1] < 0xa0) || (p[0] == 0xe0 && p[1] < 0xa0) ||
        (p[0] == 0xed && p[1] >= 0xa0) || (p[0] == 0xf0 && p[1] < 0x90) ||
        (p[0] == 0xf4 && p[1] >= 0x90))
        return 0;
    /* line and paragraph separators, marks that turn the direction */
    if (p[0] == 0xe2 && ((p[1] == 0x80 && p[2] >= 0xa8 && p[2] <= 0xae) ||
                         (p[1] == 0x81 && p[2] >= 0xa6 && p[2] <= 0xa9)))
        return 0;
    return n;
}

void alert_copy(char *to, size_t cap, const char *from)
{
    const unsigned char *p = (const unsigned char *)(from == NULL ? "" : from);
    size_t at = 0;

    while (*p != '\0') {
        size_t n = character(p);

        if (at + (n == 0 ? 1 : n) >= cap)
            break;
        if (n == 0)
            to[at++] = *p < 0x20 ? ' ' : '?';
        else
            memcpy(to + at, p, n);
        at += n;
        p += n == 0 ? 1 : n;
    }
    to[at] = '\0';
}

void alert_add(struct alert_batch *b, const struct alert *one)
{
    if (b->n < ALERTS_LISTED)
        b->list[b->n++] = *one;
    b->all++;
    b->kinds[one->kind]++;
    if (one->document != 0 && (b->first_ms == 0 || one->at_ms < b->first_ms))
        b->first_ms = one->at_ms;
}

const char *alert_summary(const struct alert_batch *b, const char *runtime, struct arena *a)
{
    const char *text = arena_printf(a, "[%s]", runtime);

    for (size_t k = 0; text != NULL && k < ALERT_KINDS; k++)
        if (b->kinds[k] == 1)
            text = arena_printf(a, "%s %s,", text, kinds[k].words);
        else if (b->kinds[k] > 1)
            text = arena_printf(a, "%s %s (%llu),", text, kinds[k].words,
                                (unsigned long long)b->kinds[k]);
    return text == NULL ? NULL : arena_printf(a, "%.*s", (int)strlen(text) - 1, text);
}

/* One alert as lines for people. */
static const char *lines_of(const struct alert *one, struct arena *a)
{
    char at[25];

    net_time_text(one->at_ms, at);
    if (one->kind == ALERT_TEST)
        return arena_printf(a, "%s %s\n", at, one->reason);
    if (one->document != 0)
        return arena_printf(a,
                            "%s document %lld%s%s is %s\n  partner: %s\n  process: %s\n"
                            "  reason: %s\n  to do: %s\n",
                            at, (long long)one->document, one->name[0] != '\0' ? " " : "",
                            one->name, one->state, one->partner, one->what, one->reason,
                            one->todo);
    return arena_printf(a, "%s %s %s: %s\n  to do: %s\n", at,
                        one->kind == ALERT_LISTENER_ERRORED ? "listener" : "certificate",
                        one->what, one->reason, one->todo);
}

static const char *body_of(const struct alert_batch *b, const char *runtime, struct arena *a)
{
    const char *text = alert_summary(b, runtime, a);

    text = text == NULL ? NULL : arena_printf(a, "%s\n\n", text);
    for (size_t i = 0; text != NULL && i < b->n; i++) {
        const char *lines = lines_of(&b->list[i], a);

        text = lines == NULL ? NULL : arena_printf(a, "%s%s\n", text, lines);
    }
    if (text != NULL && b->all > b->n)
        text = arena_printf(a, "%s%llu more: `waybill documents --state failed`, and the log\n",
                            text, (unsigned long long)(b->all - b->n));
    return text;
}

/* ---- JSON ------------------------------------------------------------------------------- */

static void put(json_t *o, const char *key, const char *text)
{
    if (text[0] != '\0')
        (void)json_object_set_new(o, key, json_string(text));
}

static json_t *json_of(const struct alert *one)
{
    json_t *o = json_object();
    char at[25];

    net_time_text(one->at_ms, at);
    put(o, "kind", kinds[one->kind].name);
    put(o, "at", at);
    if (one->document != 0)
        (void)json_object_set_new(o, "document", json_integer(one->document));
    put(o, "partner", one->partner);
    put(o, one->kind == ALERT_CERTIFICATE_EXPIRING ? "certificate" : "listener", one->what);
    put(o, "name", one->name);
    put(o, "state", one->state);
    put(o, "reason", one->reason);
    put(o, "what_to_do", one->todo);
    return o;
}

const char *alert_json(const struct alert_batch *b, const char *runtime, int64_t now_ms,
                       struct arena *a)
{
    json_t *o = json_object(), *list = json_array();
    const char *text = body_of(b, runtime, a), *copy;
    char at[25], *dumped;

    net_time_text(now_ms, at);
    put(o, "runtime", runtime);
    put(o, "at", at);
    put(o, "text", text == NULL ? "" : text);
    (void)json_object_set_new(o, "count", json_integer((json_int_t)b->all));
    for (size_t i = 0; i < b->n; i++)
        (void)json_array_append_new(list, json_of(&b->list[i]));
    (void)json_object_set_new(o, "alerts", list);
    dumped = json_dumps(o, JSON_COMPACT);
    json_decref(o);
    copy = dumped == NULL || text == NULL ? NULL : arena_text(a, dumped);
    free(dumped);
    return copy;
}

/* ---- mail ------------------------------------------------------------------------------- */

/* base64 in lines of 76. */
static const char *encoded(const char *text, struct arena *a)
{
    const unsigned char *p = (const unsigned char *)text;
    size_t left = strlen(text);
    char *out = arena_take(a, (left / 57 + 1) * 78 + 8), *to = out;

    while (out != NULL && left > 0) {
        size_t n = left < 57 ? left : 57;

        to += EVP_EncodeBlock((unsigned char *)to, p, (int)n);
        *to++ = '\r';
        *to++ = '\n';
        p += n;
        left -= n;
    }
    if (out != NULL)
        *to = '\0';
    return out;
}

const char *alert_mail(const struct alert_batch *b, const struct config_runtime *rt,
                       int64_t now_ms, struct arena *a)
{
    static _Atomic unsigned number;
    const struct config_alerts *c = &rt->alerts;
    const char *subject = alert_summary(b, rt->runtime.name, a);
    const char *body = body_of(b, rt->runtime.name, a), *to = arena_text(a, "");
    time_t now = (time_t)(now_ms / 1000);
    struct tm tm;
    char date[64];

    body = body == NULL ? NULL : encoded(body, a);
    for (size_t i = 0; to != NULL && c->mail.to[i] != NULL; i++)
        to = arena_printf(a, "%s%s%s", to, i > 0 ? ",\r\n " : "", c->mail.to[i]);
    (void)gmtime_r(&now, &tm);
    (void)strftime(date, sizeof(date), "%a, %d %b %Y %H:%M:%S +0000", &tm);
    if (subject == NULL || body == NULL || to == NULL)
        return NULL;
    return arena_printf(a,
                        "From: %s\r\nTo: %s\r\nSubject: %s\r\nDate: %s\r\n"
                        "Message-ID: <%lld.%u@%s>\r\nAuto-Submitted: auto-generated\r\n"
                        "MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n"
                        "Content-Transfer-Encoding: base64\r\n\r\n%s",
                        c->mail.from, to, subject, date, (long long)now_ms,
                        atomic_fetch_add(&number, 1), rt->runtime.name, body);
}
