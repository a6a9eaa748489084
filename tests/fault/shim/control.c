/* What is watched, what fails, and the journal. */
#include "shim.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { FDS = 65536, ROOTS = 8 };

struct control *control;
static _Atomic(char *) paths[FDS];
static char *roots[ROOTS];
static int journal = -1;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

void *shim_real(const char *name)
{
    void *p = dlsym(RTLD_NEXT, name);

    if (p == NULL)
        abort();
    return p;
}

__attribute__((constructor)) static void start(void)
{
    const char *file = getenv("FAULT_CONTROL"), *below = getenv("FAULT_ROOTS"),
               *into = getenv("FAULT_JOURNAL");
    int fd = file == NULL || below == NULL ? -1 : REAL(open)(file, O_RDWR | O_CLOEXEC);
    char *copy, *rest, *one;
    void *p;

    if (fd < 0)
        return;
    p = REAL(mmap)(NULL, sizeof(*control), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    copy = strdup(below);
    if (p == MAP_FAILED || copy == NULL)
        abort();
    (void)REAL(close)(fd);
    rest = copy;
    for (size_t i = 0; i < ROOTS && (one = strsep(&rest, ":")) != NULL; i++)
        roots[i] = one;
    if (into != NULL)
        journal = REAL(open)(into, O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0600);
    control = p;
}

/* ---- descriptors and paths -------------------------------------------------------------- */

const char *shim_path(int fd)
{
    return fd < 0 || fd >= FDS || control == NULL ? NULL : atomic_load(&paths[fd]);
}

void shim_opened(int fd, const char *path)
{
    if (fd >= 0 && fd < FDS)
        free(atomic_exchange(&paths[fd], strdup(path)));
}

void shim_closed(int fd)
{
    if (fd >= 0 && fd < FDS)
        free(atomic_exchange(&paths[fd], NULL));
}

/* Removes "/./" and what is doubled; the program writes no "..". */
static void tidy(char *path)
{
    char *out = path;

    for (const char *p = path; *p != '\0';) {
        if (p[0] == '/' && p[1] == '/')
            p++;
        else if (p[0] == '/' && p[1] == '.' && (p[2] == '/' || p[2] == '\0'))
            p += 2;
        else
            *out++ = *p++;
    }
    *out = '\0';
}

bool shim_below(int dir, const char *path, char *out, size_t cap)
{
    char base[PATH_MAX] = "";

    if (control == NULL)
        return false;
    if (path[0] != '/' && dir == AT_FDCWD) {
        if (getcwd(base, sizeof(base)) == NULL)
            return false;
    } else if (path[0] != '/') {
        const char *known = shim_path(dir);

        if (known == NULL)
            return false;
        (void)snprintf(base, sizeof(base), "%s", known);
    }
    if ((size_t)snprintf(out, cap, "%s%s%s", base, base[0] == '\0' ? "" : "/", path) >= cap)
        return false;
    tidy(out);
    for (size_t i = 0; i < ROOTS && roots[i] != NULL; i++) {
        size_t n = strlen(roots[i]);

        if (strncmp(out, roots[i], n) == 0 && (out[n] == '/' || out[n] == '\0'))
            return true;
    }
    return false;
}

/* ---- faults ------------------------------------------------------------------------------ */

int64_t shim_fault(enum call_class c, const char *name, const char *path)
{
    uint64_t n, at;

    if (control == NULL || (atomic_load(&control->mask) & (uint64_t)c) == 0)
        return 0;
    n = atomic_fetch_add(&control->calls, 1) + 1;
    at = atomic_load(&control->fail_at);
    if (at == 0 || n < at || n - at >= atomic_load(&control->fail_for))
        return 0;
    if (atomic_fetch_add(&control->failed, 1) == 0)
        (void)snprintf(control->last, sizeof(control->last), "%s %s", name, path);
    return atomic_load(&control->error);
}

/* ---- the journal ------------------------------------------------------------------------- */

bool journal_on(void)
{
    return control != NULL && journal >= 0;
}

void journal_lock(void)
{
    pthread_mutex_lock(&lock);
}

void journal_unlock(void)
{
    pthread_mutex_unlock(&lock);
}

void journal_add(enum entry_kind kind, int fd, uint64_t a, const void *text, size_t n)
{
    struct {
        uint32_t kind;
        int32_t fd;
        uint64_t a, n;
    } head = { (uint32_t)kind, fd, a, n };

    if (REAL(write)(journal, &head, sizeof(head)) != (ssize_t)sizeof(head) ||
        (n > 0 && REAL(write)(journal, text, n) != (ssize_t)n))
        abort();
    atomic_fetch_add(&control->entries, 1);
}
