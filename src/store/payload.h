/* Octets of documents. Small ones live in the store's row, others in files below the data
 * directory. Writers append; what payload_finish has returned survives a power cut once the
 * batch with its reference is committed. All system calls go through struct fs_ops, so that
 * tests can fail each of them. */
#ifndef WAYBILL_PAYLOAD_H
#define WAYBILL_PAYLOAD_H

#include "store/store.h"

#include <sys/stat.h>
#include <sys/types.h>

struct fs_ops {
    int (*open)(int dirfd, const char *path, int flags, mode_t mode);
    ssize_t (*pwrite)(int fd, const void *p, size_t n, off_t at);
    ssize_t (*pread)(int fd, void *p, size_t n, off_t at);
    int (*fdatasync)(int fd);
    int (*fsync)(int fd);
    int (*sync_file_range)(int fd, off_t from, off_t n, unsigned flags);
    int (*ftruncate)(int fd, off_t size);
    int (*mkdir)(int dirfd, const char *path, mode_t mode);
    int (*rename)(int olddir, const char *old, int newdir, const char *name);
    int (*unlink)(int dirfd, const char *path);
    int (*close)(int fd);
};
/* The system's own; tests may replace the pointer before the store is opened. */
extern const struct fs_ops *store_fs;

enum {
    PAYLOAD_ROW_MAX = 32 * 1024, /* octets that may live in the row */
    /* What is beyond this in a file does not stay in the system's page cache once it is on disk
     * or was read: a document of 10 GB neither drives the rest out of memory nor is slowed by the
     * first use of 10 GB of fresh pages. */
    PAYLOAD_CACHED = 64 * 1024 * 1024,
    PAYLOAD_STRIDE = 8 * 1024 * 1024, /* octets between looks after that */
    PAYLOAD_UNDER_WAY =
        4 * PAYLOAD_STRIDE, /* octets the disk works on before a writer waits for it */
};

/* A payload being written. Its file is made on the first octet beyond PAYLOAD_ROW_MAX (or at
 * once when resumed). role: 'r' raw, 'o' opened, 'x' the record index of a raw one. */
struct payload_writer;

/* This and the next: false also once store_failed(). */
MUST_CHECK bool payload_create(struct store *s, int64_t document_id, char role,
                               struct payload_writer **out, struct err *err);
/* Goes on with a file kept from before, cut to `size` octets first. */
MUST_CHECK bool payload_resume(struct store *s, int64_t document_id, char role,
                               const struct payload_ref *ref, uint64_t size,
                               struct payload_writer **out, struct err *err);
/* Appends. FAIL_LOCAL when the disk does not take it; a failed writer stays failed. */
MUST_CHECK bool payload_write(struct payload_writer *w, struct span octets, struct err *err);
uint64_t payload_size(const struct payload_writer *w);
/* Refers to the octets of a small payload that are in the writer still, until it is written to or
 * freed. False: it is in a file. */
bool payload_here(const struct payload_writer *w, struct payload_ref *ref);
/* Makes what was written so far durable and says where it is; the writer goes on. Makes the
 * file even when little was written. For restart points. */
MUST_CHECK bool payload_checkpoint(struct payload_writer *w, struct payload_ref *ref,
                                   struct err *err);
/* Ends it: durable when in a file; when small, its octets are put into the batch. *ref is to be
 * stored in the same batch. ref->path is borrowed from w. The writer is still to be freed. When the
 * commit fails with FAIL_AGAIN it may be ended again, for another batch. */
MUST_CHECK bool payload_finish(struct payload_writer *w, struct store_batch *b,
                               struct payload_ref *ref, struct err *err);
/* After payload_finish: nobody is going to read it soon, so its pages need not stay in the page cache. */
void payload_cool(const struct payload_writer *w);
/* Removes what was written, unless it was finished or checkpointed. NULL is fine. */
void payload_writer_free(struct payload_writer *w);

struct payload_reader;
/* Opens for reading from the start. The file is opened once: it may be read to its end though
 * it be removed meanwhile. */
MUST_CHECK bool payload_open(struct store *s, int64_t document_id, char role,
                             const struct payload_ref *ref, struct payload_reader **out,
                             struct err *err);
/* Up to room.n octets at `at`; *n 0 at the end. */
MUST_CHECK bool payload_read(struct payload_reader *r, uint64_t at, struct room room, size_t *n,
                             struct err *err);
/* The file's descriptor, or -1 when the octets are in the row (then payload_row has them). */
int payload_fd(const struct payload_reader *r);
struct span payload_row(const struct payload_reader *r);
void payload_reader_free(struct payload_reader *r);

/* Removes a file payload and its index, if any; row payloads go with the row. Once store_failed() it
 * does nothing: a commit that failed may be found to have happened, else the next start sweeps up. */
void payload_remove(struct store *s, const struct payload_ref *ref);

/* Removes the files of a document's payloads, as d names them, and of its index. */
void payload_remove_all(struct store *s, const struct document *d);
/* Free octets on the payload file system. */
uint64_t payload_space(struct store *s);

/* Records of F and V files: a list of 32-bit lengths beside the raw payload (role 'x'), so that
 * a transfer can go on at any record. It is found from the document's id alone. ref->path is
 * borrowed until the same thread asks again. */
MUST_CHECK bool payload_index_ref(struct store *s, int64_t document_id, struct payload_ref *ref,
                                  bool *found, struct err *err);

#endif
