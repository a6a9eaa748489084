#include "support.h"

#include <fcntl.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

struct store *open_at(const char *dir)
{
    struct store_config cfg = { "sqlite", dir };
    struct store *s = NULL;
    struct err err;

    if (!store_open(&cfg, &s, &err))
        fail_msg("store_open: %s", err.text);
    return s;
}

int fixture_make(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));
    const char *tmp = getenv("TMPDIR");

    (void)snprintf(f->dir, sizeof(f->dir), "%s/waybill-store-XXXXXX",
                   tmp != NULL ? tmp : "/tmp");
    if (mkdtemp(f->dir) == NULL)
        return -1;
    *state = f;
    return 0;
}

int fixture_open(void **state)
{
    struct fixture *f;

    if (fixture_make(state) != 0)
        return -1;
    f = *state;
    f->s = open_at(f->dir);
    return 0;
}

static int remove_one(const char *path, const struct stat *st, int kind, struct FTW *at)
{
    (void)st;
    (void)kind;
    (void)at;
    return remove(path);
}

int fixture_close(void **state)
{
    struct fixture *f = *state;

    store_close(f->s);
    (void)nftw(f->dir, remove_one, 16, FTW_DEPTH | FTW_PHYS);
    arena_free(&f->a);
    free(f);
    return 0;
}

void fixture_reopen(struct fixture *f)
{
    store_close(f->s);
    f->s = NULL;
    f->s = open_at(f->dir);
}

void commit(struct fixture *f, struct store_batch *b)
{
    bool ok = store_commit(f->s, b, &f->err);

    store_batch_free(b);
    if (!ok)
        fail_msg("store_commit: %s", f->err.text);
}

void commit_fails(struct fixture *f, struct store_batch *b, enum fail_kind kind)
{
    bool ok = store_commit(f->s, b, &f->err);

    store_batch_free(b);
    assert_false(ok);
    if (f->err.kind != kind)
        fail_msg("got kind %d, want %d: %s", f->err.kind, kind, f->err.text);
}

struct document simple_document(int64_t id, enum document_state state)
{
    return (struct document) { .id = id, .state = state, .created_ms = id, .changed_ms = id };
}

void put_simple(struct fixture *f, int64_t id, enum document_state state)
{
    struct store_batch *b = store_batch_new();
    struct document d = simple_document(id, state);

    store_put_document(b, &d);
    commit(f, b);
}

struct document get_document(struct fixture *f, int64_t id)
{
    struct document d = { 0 };
    bool found = false;

    assert_ok(f, store_get_document(f->s, id, &f->a, &d, &found, &f->err));
    assert_true(found);
    return d;
}

struct job simple_job(int64_t id, enum job_kind kind, const char *own, const char *peer)
{
    return (struct job) { .id = id, .kind = kind, .own = own, .peer = peer };
}

bool file_exists(const struct fixture *f, const char *path)
{
    char whole[400];

    (void)snprintf(whole, sizeof(whole), "%s/%s", f->dir, path);
    return access(whole, F_OK) == 0;
}

void fill(uint8_t *p, size_t n, uint64_t at)
{
    for (size_t i = 0; i < n; i++, at++)
        p[i] = (uint8_t)(at ^ at >> 8 ^ at >> 16);
}

void assert_text_at(const char *got, const char *want, const char *file, int line)
{
    if (got == want || (got != NULL && want != NULL && strcmp(got, want) == 0))
        return;
    print_error("%s:%d: got '%s', want '%s'\n", file, line, got == NULL ? "(none)" : got,
                want == NULL ? "(none)" : want);
    _fail(file, line);
}
