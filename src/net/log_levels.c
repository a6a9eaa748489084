/* Levels set at run time, for one partner or all. */
#include "net/log.h"
#include "net/net.h"

#include "base/span.h"

#include <pthread.h>
#include <stdatomic.h>

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER; /* for the list */
static struct log_override list[LOG_OVERRIDES_MAX];
static atomic_size_t list_n; /* read without the lock: mostly there are none */
static atomic_bool debug_any;

/* Under the lock. */
static void drop_at(size_t i)
{
    size_t n = atomic_load(&list_n);
    bool any = false;

    list[i] = list[n - 1];
    atomic_store(&list_n, n - 1);
    for (i = 0; i + 1 < n; i++)
        any = any || (list[i].level == LOG_DEBUG && list[i].partner[0] != '\0');
    atomic_store(&debug_any, any);
}

static void drop_old(void)
{
    int64_t now = net_wall_ms();

    for (size_t i = atomic_load(&list_n); i-- > 0;)
        if (list[i].until_ms != 0 && list[i].until_ms <= now)
            drop_at(i);
}

/* NULL: nothing is set for it. */
static const struct log_override *find(const char *partner)
{
    for (size_t i = 0; i < atomic_load(&list_n); i++)
        if (strcmp(list[i].partner, partner) == 0)
            return &list[i];
    return NULL;
}

void log_override_drop(const char *partner)
{
    const struct log_override *o;

    pthread_mutex_lock(&lock);
    drop_old();
    o = find(partner);
    if (o != NULL)
        drop_at((size_t)(o - list));
    pthread_mutex_unlock(&lock);
}

bool log_override_set(const char *partner, enum log_level level, int64_t until_ms)
{
    size_t n;
    bool ok;

    if (strlen(partner) > LOG_PARTNER_MAX)
        return false;
    log_override_drop(partner);
    pthread_mutex_lock(&lock);
    n = atomic_load(&list_n);
    ok = n < LOG_OVERRIDES_MAX;
    if (ok) {
        (void)text_copy(list[n].partner, sizeof(list[n].partner), partner);
        list[n].level = level;
        list[n].until_ms = until_ms;
        atomic_store(&list_n, n + 1);
        if (level == LOG_DEBUG && partner[0] != '\0')
            atomic_store(&debug_any, true);
    }
    pthread_mutex_unlock(&lock);
    return ok;
}

size_t log_overrides(struct log_override out[LOG_OVERRIDES_MAX])
{
    size_t n;

    pthread_mutex_lock(&lock);
    drop_old();
    n = atomic_load(&list_n);
    memcpy(out, list, n * sizeof(*list));
    pthread_mutex_unlock(&lock);
    return n;
}

enum log_level log_level_for(const char *partner)
{
    enum log_level level = log_level_base();
    const struct log_override *o = NULL;

    if (atomic_load_explicit(&list_n, memory_order_relaxed) == 0)
        return level;
    pthread_mutex_lock(&lock);
    drop_old();
    if (partner != NULL && partner[0] != '\0')
        o = find(partner);
    if (o == NULL)
        o = find("");
    if (o != NULL)
        level = o->level;
    pthread_mutex_unlock(&lock);
    return level;
}

bool log_partner_debug(const char *partner)
{
    const struct log_override *o;
    bool on;

    if (!atomic_load_explicit(&debug_any, memory_order_relaxed))
        return false;
    pthread_mutex_lock(&lock);
    drop_old();
    o = partner == NULL || partner[0] == '\0' ? NULL : find(partner);
    on = partner == NULL ? atomic_load(&debug_any) : o != NULL && o->level == LOG_DEBUG;
    pthread_mutex_unlock(&lock);
    return on;
}
