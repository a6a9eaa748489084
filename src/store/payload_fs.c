/* The system calls payloads are written with, and where their files are: id 12345 is in
 * payload/000/012/, so that no folder holds more than some thousand names. */
#include "store/store_int.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int sys_open(int dirfd, const char *path, int flags, mode_t mode)
{
    return openat(dirfd, path, flags, mode);
}

static int sys_unlink(int dirfd, const char *path)
{
    return unlinkat(dirfd, path, 0);
}

static const struct fs_ops system_calls = {
    .open = sys_open,
    .pwrite = pwrite,
    .pread = pread,
    .fdatasync = fdatasync,
    .fsync = fsync,
    .sync_file_range = sync_file_range,
    .ftruncate = ftruncate,
    .mkdir = mkdirat,
    .rename = renameat,
    .unlink = sys_unlink,
    .close = close,
};
const struct fs_ops *store_fs = &system_calls;

void payload_path(int64_t document_id, char role, char path[PAYLOAD_PATH])
{
    long long id = document_id;

    (void)snprintf(path, PAYLOAD_PATH, "%03lld/%03lld/%lld.%s", id / 1000000, id / 1000 % 1000,
                   id,
                   role == 'r'   ? "raw"
                   : role == 'o' ? "opened"
                                 : "idx");
}

void payload_remove(struct store *s, const struct payload_ref *ref)
{
    char index[PAYLOAD_PATH];
    char *dot;

    if (ref == NULL || ref->kind != PAYLOAD_FILE || ref->path == NULL)
        return;
    files_unlink(s, ref->path);
    if (!text_copy(index, sizeof(index) - 4, ref->path))
        return;
    dot = strrchr(index, '.');
    if (dot == NULL || strcmp(dot, ".raw") != 0)
        return;
    memcpy(dot, ".idx", 5);
    files_unlink(s, index);
}

void payload_remove_all(struct store *s, const struct document *d)
{
    char index[PAYLOAD_PATH];

    payload_remove(s, &d->raw);
    payload_remove(s, &d->opened);
    /* It may be a file though the raw payload is in the row. */
    if (d->raw.kind == PAYLOAD_ROW) {
        payload_path(d->id, 'x', index);
        files_unlink(s, index);
    }
}

uint64_t payload_space(struct store *s)
{
    struct statvfs v;

    if (fstatvfs(s->payload_fd, &v) != 0)
        return 0;
    return (uint64_t)v.f_bavail * v.f_frsize;
}
