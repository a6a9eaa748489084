/* The readers of waybill.yaml and of components: no text crashes them, what is refused has a
 * problem, and what a component keeps as its own text reads back as the same component. */
#include "config/config.h"

#include <assert.h>
#include <stdlib.h>

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void runtime(struct span text)
{
    struct config_problems ps = { 0 };
    struct config_runtime *c = config_runtime_parse(text, "f", &ps), *again;
    char *dump;

    assert((c == NULL) == (ps.n > 0));
    if (c != NULL) {
        dump = config_runtime_dump(c);
        assert(dump != NULL);
        again = config_runtime_parse(span_text(dump), "dump", &ps);
        assert(again != NULL);
        assert(again->oftp2_server.endpoints_n == c->oftp2_server.endpoints_n);
        config_runtime_free(again);
        free(dump);
    }
    config_runtime_free(c);
    config_problems_free(&ps);
}

static void one_again(const struct config_component *c)
{
    struct config_problems ps = { 0 };
    struct config_component **list;
    size_t n;

    assert(config_components_parse(span_text(c->text), "f", &list, &n, &ps));
    assert(n == 1 && list[0]->kind == c->kind && strcmp(list[0]->name, c->name) == 0);
    config_component_free(list[0]);
    free(list);
    config_problems_free(&ps);
}

static void components(struct span text)
{
    struct config_problems ps = { 0 };
    struct config_component **list;
    size_t n, before;

    if (!config_components_parse(text, "f", &list, &n, &ps)) {
        assert(ps.n > 0 && list == NULL && n == 0);
    } else {
        assert(ps.n == 0 && n > 0);
        before = ps.n;
        if (!config_check(NULL, list, n, &ps))
            assert(ps.n > before);
        for (size_t i = 0; i < n; i++) {
            one_again(list[i]);
            config_component_free(list[i]);
        }
        free(list);
    }
    config_problems_free(&ps);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    runtime(span_of(data, size));
    components(span_of(data, size));
    return 0;
}
