/* A backup of the running gateway. */
#include "store/backup.h"
#include "gateway/gateway_int.h"

#include <stdio.h>

bool gateway_backup(struct gateway *g, const char *directory, const char *who,
                    struct store_backup *out, struct err *err)
{
    struct store_batch *b;
    uint64_t since = net_now_ms();
    char text[400];
    struct err why;

    if (directory == NULL || directory[0] != '/')
        return FAIL(err, FAIL_LOCAL, 400,
                    "name the folder to make, as an absolute path of the runtime's machine");
    if (!store_make_backup(g->store, directory, out, err)) {
        log_event(LOG_ERROR, "backup.failed", "directory", directory, "who", who, "reason",
                  err->text, NULL);
        return false;
    }
    (void)snprintf(text, sizeof(text), "backup to %.300s", directory);
    b = store_batch_new();
    if (b != NULL) {
        store_add_audit(b, net_wall_ms(), who, text);
        (void)!store_commit(g->store, b, &why);
    }
    store_batch_free(b);
    log_event(LOG_INFO, "backup.made", "directory", directory, "who", who, "documents",
              log_num((long long)out->documents), "files", log_num((long long)out->files),
              "octets", log_num((long long)out->octets), "ms",
              log_num((long long)(net_now_ms() - since)), NULL);
    return true;
}
