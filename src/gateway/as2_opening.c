/* A message on its way through the layers into quarantine, and what follows from the verdict: as2.md
 * 5.1 steps 11 to 25. On the connection's thread when the answer waits for it, else on a worker from
 * the raw payload. */
#include "gateway/as2_int.h"

#include <openssl/objects.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>

/* ---- the fields that describe the body ------------------------------------------------------ */

static const char *const kept[] = { "Content-Type", "Content-Transfer-Encoding",
                                    "Content-Disposition", "Content-ID" };
#define KEPT_PREFIX "as2.http."

static const char *kept_name(size_t i, struct arena *a)
{
    return arena_printf(a, KEPT_PREFIX "%s", kept[i]);
}

void as2_in_keep_head(struct as2_in *in, const struct http_request *r)
{
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        const char *v = http_header(r, kept[i]), *name = kept_name(i, &in->arena);

        if (v != NULL && name != NULL)
            props_set(&in->d.props, &in->arena, name, v);
    }
}

bool as2_in_restore_head(struct as2_in *in, struct err *err)
{
    struct mime_field *f = arena_take(&in->arena, sizeof(*f) * COUNT_OF(kept));

    if (f == NULL)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    in->http = (struct mime_head) { f, 0 };
    for (size_t i = 0; i < COUNT_OF(kept); i++) {
        const char *name = kept_name(i, &in->arena);
        const char *v = name == NULL ? NULL : props_get(&in->d.props, name);

        if (v != NULL)
            f[in->http.n++] = (struct mime_field) { kept[i], v };
    }
    return true;
}

/* ---- payloads ------------------------------------------------------------------------------ */

static void safe_name(struct as2_in *in, const struct as2_payload *p, char text[])
{
    bool ignored = in->l->process->as2.file_names == FILE_NAMES_IGNORE, changed = false;
    char fallback[40];

    (void)snprintf(fallback, sizeof(fallback), "payload-%lld", (long long)in->d.id);
    mime_safe_name(ignored ? NULL : p->file_name, fallback, text, &changed);
    if (changed && !ignored && p->file_name != NULL && in->illegal_name == NULL)
        in->illegal_name = arena_text(&in->arena, text);
}

/* Several parts are one document: their octets follow each other in the opened payload. */
static void keep_part(struct as2_in *in, size_t index, uint64_t offset, const char *name,
                      const char *type)
{
    char key[48];

    props_printf(&in->d.props, &in->arena, "as2.parts", "%zu", index + 1);
    (void)snprintf(key, sizeof(key), "as2.part.%zu.offset", index + 1);
    props_printf(&in->d.props, &in->arena, key, "%llu", (unsigned long long)offset);
    (void)snprintf(key, sizeof(key), "as2.part.%zu.file_name", index + 1);
    props_set(&in->d.props, &in->arena, key, name);
    (void)snprintf(key, sizeof(key), "as2.part.%zu.mime_type", index + 1);
    props_set(&in->d.props, &in->arena, key, type);
}

static bool name_taken(const struct as2_in *in, size_t index, const char *name)
{
    for (size_t i = 0; i < index; i++) {
        struct document_part other;

        document_part(&in->d, i, &other);
        if (strcmp(index == 1 ? in->first_name : other.name, name) == 0)
            return true;
    }
    return false;
}

/* Two files of one name are two files. */
static void make_distinct(const struct as2_in *in, size_t index, char name[])
{
    char given[MIME_FILE_NAME_MAX + 1];

    (void)text_copy(given, sizeof(given), name);
    for (size_t n = index + 1; name_taken(in, index, name) && n <= 2 * index + 1; n++)
        (void)snprintf(name, MIME_FILE_NAME_MAX + 1, "%zu-%.*s", n, MIME_FILE_NAME_MAX - 24,
                       given);
}

/* Parts are numbered as they come; the root, wherever it stands, names the document. */
static bool payload_begins(void *context, const struct as2_payload *p, struct err *err)
{
    struct as2_in *in = context;
    struct arena *a = &in->arena;
    const char *type = p->type == NULL ? "" : p->type;
    size_t index = in->parts_n++;
    char name[MIME_FILE_NAME_MAX + 1];

    safe_name(in, p, name);
    if (index == 0) {
        in->first_name = arena_text(a, name);
        in->first_type = arena_text(a, type);
    }
    if (a->failed)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    make_distinct(in, index, name);
    if (p->index == 0) {
        in->d.name = arena_text(a, name);
        props_set(&in->d.props, a, "as2.file_name",
                  p->file_name == NULL || in->l->process->as2.file_names == FILE_NAMES_IGNORE
                      ? ""
                      : name);
        props_set(&in->d.props, a, "as2.mime_type", type);
    }
    if (index == 1)
        keep_part(in, 0, 0, in->first_name, in->first_type);
    if (index > 0)
        keep_part(in, index, payload_size(in->opened), name, type);
    return !a->failed || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}

static bool payload_octets(void *context, struct span octets, struct err *err)
{
    struct as2_in *in = context;

    return payload_write(in->opened, octets, err);
}

/* How much may come out: what is agreed, and never what the disk does not hold. */
static uint64_t most_octets(const struct as2_in *in)
{
    uint64_t space = payload_space(in->g->store), most = in->l->process->max_file_size;

    return most == 0 || most > space ? space : most;
}

/* ---- the pipe ------------------------------------------------------------------------------- */

static void fails(struct as2_in *in, const struct err *err)
{
    in->stopped = true;
    in->why = *err;
    in->local = err->kind != FAIL_TRUST && err->kind != FAIL_PEER;
    if (!in->local)
        in->fault =
            err->wire >= AS2_AUTHENTICATION ? (enum as2_fault)err->wire : AS2_UNEXPECTED;
}

void as2_in_begin(struct as2_in *in, int digest_besides)
{
    const struct config_as2_operation *op = &in->l->process->as2;
    struct as2_open_options o = { .http = &in->http,
                                  .cipher_allowed = NULL,
                                  .digest_allowed = as2_digest_supported,
                                  .content_max = most_octets(in),
                                  .request = &in->request,
                                  .mic_by_list = op->mic_by_list,
                                  .digest_besides = digest_besides,
                                  .headerless = op->headerless,
                                  .unpack = true,
                                  .payload = payload_begins,
                                  .octets = payload_octets,
                                  .context = in };
    struct cms_open_options who = { 0 };
    struct err err = { 0 };
    bool ok;

    as2_open_free(in->open);
    payload_writer_free(in->opened);
    in->open = NULL;
    in->opened = NULL;
    in->found = NULL;
    in->stopped = in->local = false;
    in->fault = AS2_FINE;
    in->parts_n = 0;
    in->over_budget = false;
    in->illegal_name = NULL;
    in->keys.n = 0;
    if (in->l->as2_to.decryption != NULL &&
        !security_keys(in->sn, in->l->as2_to.decryption->name, "to.decryption_certificate",
                       &in->keys, &err))
        log_event(LOG_ERROR, "as2.keys", "listener", in->l->name, "reason", err.text, NULL);
    as2_signers(&in->l->as2_from, op->expired_grace_days, &in->signers);
    o.keys = in->keys.list;
    o.keys_n = in->keys.n;
    security_trust(&who, &in->signers);
    o.signers = who.signers;
    o.signers_n = who.signers_n;
    o.vouch = who.vouch;
    o.vouch_context = who.vouch_context;
    o.mic_fallback =
        op->mic_default == NULL ? NID_sha1 : as2_digest_of(span_text(op->mic_default));
    ok = payload_create(in->g->store, in->d.id, 'o', &in->opened, &err) &&
         (in->open = as2_open_new(&o, &err)) != NULL;
    if (!ok)
        fails(in, &err);
}

void as2_in_write(struct as2_in *in, struct span octets)
{
    struct err err = { 0 };

    if (!in->stopped && !as2_open_write(in->open, octets, &err))
        fails(in, &err);
}

static bool again_with(struct as2_in *in, int digest,
                       bool (*reread)(void *context, uint64_t at, struct room room, size_t *n,
                                      struct err *err),
                       void *context, struct err *err)
{
    uint8_t *buffer = malloc(READ_SIZE);
    uint64_t at = 0;
    size_t n = 1;
    bool ok = buffer != NULL || FAIL(err, FAIL_LOCAL, 0, "out of memory");

    as2_in_begin(in, digest);
    while (ok && n > 0 && !in->stopped) {
        ok = reread(context, at, (struct room) { buffer, READ_SIZE }, &n, err);
        if (ok)
            as2_in_write(in, span_of(buffer, n));
        at += n;
    }
    free(buffer);
    return ok;
}

static void end(struct as2_in *in)
{
    struct err err = { 0 };

    if (!in->stopped && !as2_open_end(in->open, &err))
        fails(in, &err);
    in->found = in->open == NULL ? NULL : as2_open_result(in->open);
}

/* What is wrong behind CBC, and not by the word of somebody whose signature holds. */
static bool tells_of_cbc(const struct as2_in *in)
{
    const struct as2_opened *o = in->found;

    return o != NULL && o->encrypted && !o->aead && !o->trusted &&
           in->fault >= AS2_AUTHENTICATION && in->fault <= AS2_UNEXPECTED;
}

/* Who may learn nothing from errors behind CBC, or has asked too often: as2.md 11.1 #12. */
static void make_uniform(struct as2_in *in)
{
    const char *address = as2_prop(&in->d, "as2.address");
    bool uniform = in->l->process->as2.uniform_errors, first = false;

    if (!tells_of_cbc(in))
        return;
    if (!as2_budget_take(in->d.from, address, net_now_ms(), &first)) {
        if (first)
            log_event(LOG_ERROR, "as2.failure_budget", "partner", in->d.partner, "address",
                      address, "reason",
                      "so many messages of this partner from this address could not be opened "
                      "that somebody may be trying to read one: for now each is "
                      "decryption-failed, whatever is wrong with it",
                      "look_at", "from.ip_filter, client_ssl_certificate or username", NULL);
        uniform = in->over_budget = true;
    }
    if (uniform)
        in->fault = AS2_DECRYPTION;
}

void as2_in_end(struct as2_in *in,
                bool (*reread)(void *context, uint64_t at, struct room room, size_t *n,
                               struct err *err),
                void *context)
{
    struct err err = { 0 };

    end(in);
    if (in->local && in->found != NULL && in->found->missing_digest != NID_undef &&
        as2_digest_supported(in->found->missing_digest)) {
        if (again_with(in, in->found->missing_digest, reread, context, &err))
            end(in);
        else
            fails(in, &err);
    }
    if (!in->stopped && in->fault == AS2_FINE && in->found != NULL &&
        !as2_agreed(in->l->process, in->found, &in->fault, &err))
        in->why = err;
    if (!in->stopped && in->fault == AS2_FINE && in->plan.failed) {
        in->fault = strcmp(in->plan.failure, "unsupported format") == 0 ? AS2_UNSUPPORTED_FORMAT
                    : strcmp(in->plan.failure, "unsupported MIC-algorithms") == 0
                        ? AS2_UNSUPPORTED_MICALG
                        : AS2_UNSUPPORTED_OPTION;
        (void)FAIL(&in->why, FAIL_TRUST, (int)in->fault,
                   "the receipt asked for cannot be given: %s", in->plan.failure);
    }
    make_uniform(in);
}

bool as2_in_last(struct as2_in *in, bool look, struct err *err)
{
    const char *again = NULL;

    if (in->fault == AS2_FINE && in->illegal_name != NULL &&
        in->l->process->as2.file_names == FILE_NAMES_REJECT) {
        in->fault = AS2_ILLEGAL_NAME;
        (void)FAIL(&in->why, FAIL_TRUST, AS2_ILLEGAL_NAME,
                   "a file name is not legal here, made safe it is '%s': file_names of the "
                   "operation",
                   in->illegal_name);
    }
    if (in->fault != AS2_FINE)
        return true;
    in->replay_of = 0;
    if (!as2_names_seen(in, &again, err) ||
        (look && !as2_signature_seen(in, &in->replay_of, err)))
        return false;
    if (again != NULL) {
        in->fault = AS2_DUPLICATE_NAME;
        (void)FAIL(&in->why, FAIL_TRUST, AS2_DUPLICATE_NAME,
                   "a file of the name '%s' came before: file_names of the operation", again);
    }
    return true;
}

/* ---- what follows ---------------------------------------------------------------------------- */

static void keep_found(struct as2_in *in)
{
    const struct as2_opened *o = in->found;
    struct props *ps = &in->d.props;
    struct arena *a = &in->arena;

    if (o == NULL)
        return;
    if (o->mic.n > 0 && in->fault != AS2_UNSUPPORTED_MICALG &&
        in->fault != AS2_UNSUPPORTED_FORMAT && in->fault != AS2_DECRYPTION)
        props_set(ps, a, AS2_MIC, as2_mic_write(&o->mic, o->mic_spelling, a));
    props_set(ps, a, "as2.signed", o->is_signed ? "yes" : "no");
    props_set(ps, a, "as2.encrypted", o->encrypted ? "yes" : "no");
    props_set(ps, a, "as2.compressed", o->compressed ? "yes" : "no");
    if (o->encrypted)
        props_set(ps, a, "as2.cipher", o->cipher);
    if (o->is_signed && o->signature_digest != NID_undef && in->fault != AS2_DECRYPTION)
        props_set(ps, a, "as2.signature_digest", as2_digest_name(o->signature_digest, false));
    if (o->trusted)
        props_set(ps, a, AS2_AUTHENTIC, "signature");
    else if (o->signer_subject[0] != '\0')
        props_set(ps, a, "as2.unknown_signer", o->signer_subject);
}

/* Everything that makes the document the process's, or refuses it. */
static bool plan_taken(struct as2_in *in, struct store_batch *b, int64_t now_ms,
                       struct err *err)
{
    if (!payload_finish(in->opened, b, &in->d.opened, err))
        return false;
    props_set(&in->d.props, &in->arena, "waybill.opened", "layers");
    in->d.size = in->d.opened.size;
    in->d.state = DOC_OPENED;
    in->d.reason = "";
    store_put_document(b, &in->d);
    as2_seen_add(in, b, in->replay_of == 0, now_ms);
    if (in->replay_of != 0)
        store_add_event(
            b, in->d.id, now_ms, "signature seen before",
            arena_printf(&in->arena,
                         "document %lld has the same signature: the partner sent it "
                         "twice, or somebody else did",
                         (long long)in->replay_of));
    delivery_plan(in->g, b, in->l, &in->d, now_ms);
    return true;
}

static void plan_refused(struct as2_in *in, struct store_batch *b, bool stored, int64_t now_ms)
{
    if (in->d.opened.kind == PAYLOAD_FILE) /* of a commit that came too late */
        payload_remove(in->g->store, &in->d.opened);
    payload_writer_free(in->opened); /* what came out of it is gone before anybody is told */
    in->opened = NULL;
    in->d.opened = (struct payload_ref) { 0 };
    in->d.size = 0;
    in->d.state = DOC_REFUSED;
    in->d.reason = arena_text(&in->arena, in->why.text);
    store_put_document(b, &in->d);
    if (stored)
        as2_forget(b, &in->d, now_ms);
    store_add_event(
        b, in->d.id, now_ms, "refused",
        arena_printf(&in->arena, "%s: %s", as2_fault_disposition(in->fault), in->why.text));
}

/* A negative MDN that goes out whatever `acknowledge` says; a positive one when it says so. */
static bool answers_now(const struct as2_in *in)
{
    return in->fault != AS2_FINE || in->l->process->acknowledge == ACK_RECEIVED;
}

bool as2_in_plan(struct as2_in *in, struct store_batch *b, bool stored, int64_t now_ms,
                 struct span *mdn, struct err *err)
{
    *mdn = span_of(NULL, 0);
    keep_found(in);
    if (in->arena.failed)
        return FAIL(err, FAIL_LOCAL, 0, "out of memory");
    in->d.changed_ms = now_ms;
    if (stored) /* whoever comes second finds it in another state */
        store_set_state(b, in->d.id, DOC_BIT(DOC_RECEIVED), DOC_RECEIVED, now_ms, NULL, NULL,
                        NULL);
    if (in->fault != AS2_FINE)
        plan_refused(in, b, stored, now_ms);
    else if (!plan_taken(in, b, now_ms, err))
        return false;
    return !answers_now(in) || as2_answer_plan(in->g, b, in->sn, in->l, &in->d, in->fault,
                                               in->plan.failed ? in->plan.failure : NULL, NULL,
                                               now_ms, &in->arena, mdn, err);
}

void as2_in_told(const struct as2_in *in)
{
    const char *message_id = props_get(&in->d.props, AS2_MESSAGE_ID);
    const char *look_at = in->fault == AS2_AUTHENTICATION ? "from.signing_certificate"
                          : in->fault == AS2_INTEGRITY    ? "what the partner sends"
                          : in->fault == AS2_DECRYPTION   ? "to.decryption_certificate"
                          : in->fault == AS2_INSUFFICIENT ? "start.operation"
                          : in->fault == AS2_ILLEGAL_NAME || in->fault == AS2_DUPLICATE_NAME
                              ? "file_names"
                              : NULL;

    gateway_count_document(in->g, in->l->name, in->fault != AS2_FINE);
    if (in->fault == AS2_FINE) {
        atomic_fetch_add(&in->g->n.documents_in, 1);
        log_event(LOG_INFO, "as2.message.received", "partner", in->d.partner, "document",
                  log_num(in->d.id), "listener", in->l->name, "message_id", message_id,
                  "octets", log_num((long long)in->d.size), NULL);
        if (in->found != NULL && in->found->is_signed &&
            in->found->signature_digest == NID_sha1)
            log_event(LOG_WARN, "as2.weak_digest", "partner", in->d.partner, "document",
                      log_num(in->d.id), "reason", "signed with SHA-1", "look_at",
                      "minimum_digest of the operation", NULL);
        if (in->replay_of != 0)
            log_event(LOG_WARN, "as2.signature.again", "partner", in->d.partner, "document",
                      log_num(in->d.id), "other", log_num(in->replay_of), "reason",
                      "another message had the same signature: sent twice, or replayed",
                      "look_at", "what both documents say of their receiver", NULL);
        delivery_log(in->l, &in->d);
        return;
    }
    atomic_fetch_add(&in->g->n.refused, 1);
    gateway_listener_error(in->g, in->l->name, in->why.text);
    log_event(LOG_ERROR, "as2.message.refused", "partner", in->d.partner, "document",
              log_num(in->d.id), "listener", in->l->name, "message_id", message_id,
              "disposition", as2_fault_disposition(in->fault), "reason", in->why.text,
              "unknown_signer", props_get(&in->d.props, "as2.unknown_signer"), "look_at",
              look_at, NULL);
}

void as2_in_free(struct as2_in *in, bool committed)
{
    /* A commit whose sync failed may be found to have happened: then the start sweeps up. */
    if (!committed && in->d.opened.kind == PAYLOAD_FILE && !store_failed(in->g->store))
        payload_remove(in->g->store, &in->d.opened);
    as2_open_free(in->open);
    payload_writer_free(in->opened);
    arena_free(&in->arena);
}
