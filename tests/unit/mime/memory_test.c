/* The n-th allocation of ours fails, for all n: it is said as FAIL_LOCAL, nothing is lost, nothing
 * crashes. */
#include "support.h"

static long countdown = -1; /* allocations until the one that fails; negative: none */

void *__real_malloc(size_t n);
void *__real_calloc(size_t n, size_t size);
void *__real_realloc(void *p, size_t n);
void *__wrap_malloc(size_t n);
void *__wrap_calloc(size_t n, size_t size);
void *__wrap_realloc(void *p, size_t n);

static bool fails(void)
{
    return countdown >= 0 && countdown-- == 0;
}

void *__wrap_malloc(size_t n)
{
    return fails() ? NULL : __real_malloc(n);
}

void *__wrap_calloc(size_t n, size_t size)
{
    return fails() ? NULL : __real_calloc(n, size);
}

void *__wrap_realloc(void *p, size_t n)
{
    return fails() ? NULL : __real_realloc(p, n);
}

static const char message[] =
    "--b\r\n"
    "Content-Type: a/b; name*0*=utf-8''%c3; name*1*=%a4; name=\"x\"\r\n"
    "Content-Disposition: attachment; filename=\"=?utf-8?B?w6Q=?= =?iso-8859-1?Q?=e4?=\"\r\n"
    "Content-Transfer-Encoding: base64\r\n"
    "\r\n"
    "Zm9v\r\n"
    "--b--\r\n";

static bool on_head(void *context, const struct mime_head *h, struct span raw,
                    struct sink **body, struct err *err)
{
    struct arena *a = context;
    struct mime_value v;
    struct stage *st;
    uint8_t *octets;
    size_t n;

    (void)raw;
    (void)body;
    if (!mime_value_read(mime_head_get(h, "content-type"), a, &v, err) ||
        !mime_decoder_new(MIME_BASE64, &st, err))
        return false;
    stage_free(st);
    if (!mime_decode_octets(MIME_QUOTED, span_text("=41"), &octets, &n, err))
        return false;
    free(octets);
    return true;
}

static bool on_part(void *context, size_t index, struct sink **part, struct err *err)
{
    static const struct mime_entity_events events = { on_head };

    (void)index;
    *part = mime_entity_new(&events, context, context, false);
    return *part != NULL || FAIL(err, FAIL_LOCAL, 0, "memory is out");
}

static bool read_message(struct err *err)
{
    static const struct mime_parts_events events = { on_part };
    struct arena a = { 0 };
    struct sink *s = mime_parts_new("b", &events, &a, err);
    bool ok = s != NULL && sink_write(s, span_text(message), err) && sink_end(s, err);

    sink_free(s);
    arena_free(&a);
    return ok;
}

static void reading_says_when_memory_is_out(void **state)
{
    long n = 0;
    bool ok;

    (void)state;
    do {
        struct err err = { 0 };

        countdown = n++;
        ok = read_message(&err);
        countdown = -1;
        CHECK_EQ(err.kind, ok ? FAIL_NONE : FAIL_LOCAL);
    } while (!ok);
    assert_true(n > 5);
}

/* Names have no *err: the arena knows, a safe name is there in any case. */
static void names_do_without_when_memory_is_out(void **state)
{
    static struct mime_field field = { "Content-Disposition",
                                       "attachment; filename=\"=?utf-8?B?w6Q=?= x\"" };
    struct mime_head h = { &field, 1 };

    (void)state;
    for (long n = 0; n < 12; n++) {
        char text[MIME_FILE_NAME_MAX + 1] = "";
        struct arena a = { 0 };
        const char *name, *param;
        bool changed;

        countdown = n;
        name = mime_file_name(&h, &a);
        mime_safe_name(name, "fallback", text, &changed);
        param = mime_file_name_param("\xc3\xa4", &a);
        countdown = -1;
        assert_true(text[0] != '\0');
        assert_true(param != NULL || a.failed);
        arena_free(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reading_says_when_memory_is_out),
        cmocka_unit_test(names_do_without_when_memory_is_out),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
