/* A backup, made by the runtime on its own machine. */
#include "store/backup.h"
#include "api/api_int.h"

void api_backup(struct api_call *c)
{
    const char *directory = http_query(c->r, "directory");
    struct store_backup b;
    struct json_out o;
    struct err err;

    /* It writes where it is told to: that is for who may write there anyway. */
    if (!c->conn->local) {
        api_error(c, 403, "backups are made over the Unix socket: `waybill backup`");
        return;
    }
    if (!gateway_backup(c->gateway, directory, c->who, &b, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    json_put_text(&o, "directory", directory);
    json_put_int(&o, "documents", (int64_t)b.documents);
    json_put_int(&o, "files", (int64_t)b.files);
    json_put_int(&o, "linked", (int64_t)b.linked);
    json_put_int(&o, "octets", (int64_t)b.octets);
    json_put_bool(&o, "sealed_keys", b.sealed_keys);
    api_json(c, 200, o);
}
