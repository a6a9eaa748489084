/* What is deployed, resolved: components with their secrets, certificates and TLS contexts, and
 * the listeners with their states. A snapshot never changes; apply, pause and reload build a new
 * one and swap the pointer, so that sessions under way go on with what they began with. */
#ifndef WAYBILL_SNAPSHOT_H
#define WAYBILL_SNAPSHOT_H

#include "config/config.h"
#include "net/net.h"
#include "store/store.h"

#include <stdatomic.h>

enum { SECRET_MAX = 256 };

enum listener_state { LISTENER_LISTENING, LISTENER_PAUSED, LISTENER_ERRORED };

/* One side of an operation with its password at hand. */
struct party {
    const char *name; /* partner or identity component; "" when given in place */
    const struct config_oftp2_party *cfg;
    const char *code; /* ODETTE ID */
    const char *password;
    bool password_any;
    const char *error; /* why code or password cannot be had, NULL: fine */
};

struct identity {
    const char *name;
    const struct config_identity *cfg;
    struct party party;
    const char *error; /* why it cannot be used, NULL: fine */
};

struct partner {
    const char *name;
    const struct config_partner *cfg;
    struct party party;
    struct tls *tls;   /* for calls; NULL without encryption or when tls_error says why */
    const char *error; /* why it cannot be called or logged on, NULL: fine */
};

struct listener {
    const char *name;
    const struct config_process *process;
    struct party from, to;
    const struct partner *partner;                /* NULL when from is given in place */
    const struct certificate *client_certificate; /* what the session's TLS client shows */
    enum listener_state state;
    const char *reason; /* errored: why, and what to do */
    int64_t version, since;
};

struct certificate {
    const char *name;
    struct pki_set
        set; /* the component's own first, then those of `also`; .n 0: error says why */
    const char *error;
};

struct endpoint_tls {
    struct tls *tls; /* NULL: without encryption, or error says why */
    const char *error;
};

struct snapshot {
    atomic_int refs;
    struct arena arena;
    struct config_component **components;
    size_t components_n;
    struct certificate *certificates;
    size_t certificates_n;
    struct identity *identities;
    size_t identities_n;
    struct partner *partners;
    size_t partners_n;
    struct listener *listeners; /* in the order of their deployment */
    size_t listeners_n;
    size_t endpoints_n;
    struct endpoint_tls *endpoints; /* as config_runtime.oftp2_server.endpoints */
};

/* Builds from the newest deployments. What is wrong with one component makes its listener
 * `errored` and leaves the others alone; false only when the store cannot be read or memory is
 * out. Given: counted, snapshot_put. */
MUST_CHECK bool snapshot_build(struct store *store, const struct config_runtime *rt,
                               struct snapshot **out, struct err *err);
struct snapshot *snapshot_ref(struct snapshot *sn);
void snapshot_put(struct snapshot *sn);

const struct certificate *snapshot_certificate(const struct snapshot *sn, const char *name);
const struct listener *snapshot_listener(const struct snapshot *sn, const char *name);
const struct partner *snapshot_partner(const struct snapshot *sn, const char *name);
const struct partner *snapshot_partner_of_code(const struct snapshot *sn, const char *code);
const struct identity *snapshot_identity(const struct snapshot *sn, const char *name);
const struct identity *snapshot_identity_of_code(const struct snapshot *sn, const char *code);

/* The listener a session logs on to by SSIDCODE and SSIDPSWD (design.md section 7). The time
 * taken tells nothing about which of the two was wrong. NULL: *code_known says whether the code
 * itself belongs to some listener. Errored listeners are no listeners; paused ones are. */
const struct listener *snapshot_logon(const struct snapshot *sn, const char *code,
                                      const char *password, bool *code_known);

/* Equal without telling by time where they differ. */
bool secret_equal(const char *a, const char *b);

#endif
