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

/* One side of an AS2 relation with its password and certificates at hand; all of it NULL where the
 * component has no as2 settings. Certificates: NULL when not given, or when .error says why they
 * cannot be had; which of a set to use is asked of pki. */
struct as2_side {
    const char *name; /* partner or identity component; "" when given in place */
    const struct config_as2_party *cfg;
    const char *id;                  /* AS2 ID */
    const char *username, *password; /* HTTP Basic they must show; username NULL: none */
    /* theirs */
    const struct certificate *client_ssl, *encryption;
    const struct certificate *signing; /* theirs verifies, ours signs messages */
    /* ours, with keys */
    const struct certificate *decryption, *mdn_signing;
    const char *error; /* why it cannot be used, NULL: fine */
};

/* How messages and MDNs for a partner leave us. */
struct as2_out {
    const struct config_as2_partner *cfg; /* NULL: no as2 settings */
    const char *password,
        *mdn_password; /* HTTP Basic we show; "" where no user name is given */
    const struct certificate *server_ssl; /* pinned leaf or authority; NULL: the system's */
    const struct certificate *client;     /* ours, shown as TLS client; NULL: none */
    const char *error;                    /* why nothing can be posted to it, NULL: fine */
    const char *send_error; /* why no message can be sent, though MDNs perhaps; NULL: fine */
};

struct identity {
    const char *name;
    const struct config_identity *cfg;
    struct party party;  /* .error set without oftp2 settings */
    struct as2_side as2; /* .cfg NULL without as2 settings    */
    const char *error;   /* why it cannot be used in OFTP2, NULL: fine */
};

struct partner {
    const char *name;
    const struct config_partner *cfg;
    struct party party;  /* .error set without oftp2 settings */
    struct as2_side as2; /* .cfg NULL without as2 settings    */
    struct as2_out as2_out;
    struct tls *tls;   /* for OFTP2 calls; NULL without encryption or when error says why */
    const char *error; /* why it cannot be called or logged on in OFTP2, NULL: fine */
};

struct listener {
    const char *name;
    const struct config_process *process;
    const struct config_as2_operation *as2; /* not NULL: of the AS2 server */
    struct party from, to;                  /* OFTP2; .code NULL in one of AS2            */
    struct as2_side as2_from, as2_to;       /* AS2; .id NULL in an errored one, perhaps   */
    const struct partner *partner;          /* NULL when from is given in place */
    const struct certificate *client_certificate; /* what the TLS client must show */
    enum listener_state state;
    const char *reason; /* errored: why, and what to do */
    int64_t version, since;
};

/* What a file was like when it was read. */
struct file_mark {
    uint64_t there; /* 0: it was not; no padding, so that memcmp tells a change */
    uint64_t device, number, size;
    int64_t changed_s, changed_ns;
};

/* One certificate of a component, usable or not. */
struct certificate_item {
    struct pki_certificate *pki; /* NULL: it could not be read */
    const char *place;           /* of its key, without one its own: "store" or "file" */
    const char *problem;         /* why it is not used; NULL: it is */
    bool revoked;
};

struct certificate {
    const char *name;
    const struct config_certificate *cfg;
    /* the usable ones, borrowed from the items; .n 0: error says why */
    struct pki_set set;
    const struct pki_certificate *current; /* of the set, the one that signs; NULL: none does */
    const char *error;
    struct certificate_item *items; /* the component's own first, then those of `also` */
    size_t items_n;
    /* The set with its lists, as trust, and with what follows each. NULL: .n is 0. */
    struct pki_certificate *own, *anchors;
    /* clang-format off */
    STACK_OF(X509_CRL) *crls; /* NULL: none */
    /* clang-format on */
    int64_t crl_next_s; /* when the first list is over; 0: there is none */
    struct file_mark crl_mark;
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
    size_t as2_endpoints_n;
    struct endpoint_tls *as2_endpoints; /* as config_runtime.as2_server.endpoints */
    struct endpoint_tls admin;
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

/* The only identity that has settings of this protocol; NULL: none, or several. */
const struct identity *snapshot_only_identity(const struct snapshot *sn, bool as2);

/* The AS2 listener of (AS2-From, AS2-To), compared with their case: see its state for whether it
 * listens, is paused, or is errored (only when no other has the pair). NULL: there is none. */
const struct listener *snapshot_as2_listener(const struct snapshot *sn, const char *from,
                                             const char *to);
const struct partner *snapshot_partner_of_as2(const struct snapshot *sn, const char *id);
const struct identity *snapshot_identity_of_as2(const struct snapshot *sn, const char *id);

/* Whether what a TLS client showed is one of these certificates, or issued by one of them. False for
 * NULL. */
bool certificate_shown(const struct certificate *agreed, const X509 *shown);

/* Equal without telling by time where they differ. */
bool secret_equal(const char *a, const char *b);

#endif
