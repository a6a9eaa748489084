/* Who may use the admin API, and what was changed by whom: users, API tokens, the audit log.
 * What a role may do is not known here. Part of the contract of store.h. */
#ifndef WAYBILL_STORE_ACCESS_H
#define WAYBILL_STORE_ACCESS_H

#include "store/store.h"

struct user {
    const char *name, *role;
    const char *password; /* hashed, with the parameters it was hashed with */
    int64_t created_ms, changed_ms;
};

struct token {
    const char *name, *role;
    const char *hash; /* of the token: it is not kept itself */
    const char *made_by;
    int64_t created_ms;
    int64_t expires_ms; /* 0: never */
    int64_t used_ms;    /* 0: never */
};

struct audit_line {
    int64_t id, at_ms;
    const char *who, *what;
};

/* ---- changes: everything is copied ------------------------------------------------------- */

/* The commit fails with FAIL_AGAIN when there is one of this name. */
void store_add_user(struct store_batch *b, const struct user *u);
/* role, password: NULL leaves it as it is. FAIL_AGAIN when there is none, here and below. */
void store_set_user(struct store_batch *b, const char *name, const char *role,
                    const char *password, int64_t now_ms);
void store_drop_user(struct store_batch *b, const char *name);
void store_add_token(struct store_batch *b, const struct token *t);
void store_use_token(struct store_batch *b, const char *name, int64_t now_ms);
void store_drop_token(struct store_batch *b, const char *name);

/* ---- reading: given, in the arena -------------------------------------------------------- */

/* By name. */
MUST_CHECK bool store_users(struct store *s, struct arena *a, struct user **list, size_t *n,
                            struct err *err);
MUST_CHECK bool store_find_user(struct store *s, const char *name, struct arena *a,
                                struct user *u, bool *found, struct err *err);
MUST_CHECK bool store_tokens(struct store *s, struct arena *a, struct token **list, size_t *n,
                             struct err *err);
MUST_CHECK bool store_find_token(struct store *s, const char *hash, struct arena *a,
                                 struct token *t, bool *found, struct err *err);

struct audit_filter { /* NULL and 0: any */
    const char *who;  /* its beginning */
    int64_t from_ms, to_ms;
    int64_t before_id; /* paging, newest first */
    size_t limit;      /* 0: 100; at most 1000 */
};
MUST_CHECK bool store_audit(struct store *s, const struct audit_filter *f, struct arena *a,
                            struct audit_line **list, size_t *n, struct err *err);

#endif
