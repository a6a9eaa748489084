/* A copy of the whole store, made while it runs, and a store made of such a copy.
 *
 * A backup is a folder: waybill.db, payload/, and waybill.backup, which is written last and says
 * what the others are: a folder without it is no backup. Payload files are hard links where the file
 * system allows it, which costs no space, else copies. Keys and secrets are not in it. */
#ifndef WAYBILL_BACKUP_H
#define WAYBILL_BACKUP_H

#include "store/store.h"

struct store_backup {
    int64_t at_ms;
    uint64_t documents, files, linked; /* linked: of the files, those that are links */
    uint64_t octets;                   /* of the database and the files */
    bool sealed_keys; /* it holds private keys, useless without the store key */
};

/* Makes `directory`, which must not be there or be empty. All that was committed before the call is
 * in it. Transfers go on meanwhile; payload files are removed only afterwards. FAIL_LOCAL, wire 409:
 * another one is being made, or the folder is not empty. */
MUST_CHECK bool store_make_backup(struct store *s, const char *directory,
                                  struct store_backup *out, struct err *err);
/* What a backup says of itself. */
MUST_CHECK bool store_read_backup(const char *directory, struct store_backup *out,
                                  struct err *err);
/* Copies a backup into a data directory, which is made if need be and must hold no store and no
 * payloads. On failure what was copied is there, but no database: nothing starts from it. */
MUST_CHECK bool store_restore(const char *backup, const char *data_directory,
                              struct store_backup *out, struct err *err);

#endif
