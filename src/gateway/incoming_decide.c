/* Whether a file that is offered is taken: the listener it is for, and what was agreed with it.
 * The order of the checks is that of oftp2.md 7.3. */
#include "gateway/exchange.h"
#include "gateway/relay.h"
#include "gateway/session_int.h"

#include <fnmatch.h>

bool verdict_no(struct verdict *v, int reason, bool retry, const char *text,
                const char *look_at)
{
    v->reason = reason;
    v->retry = retry;
    (void)text_copy(v->text, sizeof(v->text), text);
    (void)text_copy(v->look_at, sizeof(v->look_at), look_at);
    return false;
}

/* ---- which listener ---------------------------------------------------------------------- */

static bool may_relay(const struct listener *l, const char *code)
{
    for (const char *const *via = l->from.cfg->via; via != NULL && *via != NULL; via++)
        if (strcmp(*via, code) == 0)
            return true;
    return false;
}

/* A password changed meanwhile does not shut out who is in. */
static bool logged_on_to(const struct session *s, const struct listener *l)
{
    if (s->logon != NULL)
        return strcmp(s->logon->name, l->name) == 0;
    return s->partner != NULL && l->partner != NULL &&
           strcmp(s->partner->name, l->partner->name) == 0;
}

/* The session was logged on with a password, and by it chose one of our identities. A file for
 * another one is not let in by this door. Relayed files come with the relay's own log-on. */
static bool session_may_use(const struct session *s, const struct listener *l)
{
    if (strcmp(l->from.code, s->peer) == 0)
        return l->from.password_any || logged_on_to(s, l) ||
               secret_equal(l->from.password, s->peer_pswd);
    return may_relay(l, s->peer);
}

/* design.md section 7: the process whose from matches the origin and to the destination. */
static const struct listener *route(const struct session *s, const struct snapshot *sn,
                                    const struct oftp_sfid *f, struct verdict *v)
{
    bool dest = false, pair = false, errored = false;

    for (size_t i = 0; i < sn->listeners_n; i++) {
        const struct listener *l = &sn->listeners[i];
        bool to = l->to.code != NULL &&
                  (strcmp(l->to.code, f->dest) == 0 || relay_route(sn, l, f->dest) != NULL);
        bool from = l->from.code != NULL && strcmp(l->from.code, f->orig) == 0;

        if (l->state == LISTENER_ERRORED) {
            errored = errored || (to && from);
            continue;
        }
        dest = dest || to;
        pair = pair || (to && from);
        if (to && from && session_may_use(s, l))
            return l;
    }
    if (pair)
        (void)verdict_no(
            v, ANSWER_DESTINATION, false,
            "this log-on is not for that destination: use the password agreed for it",
            "from.password (or from.via, for a relay) of the process with this from "
            "and to");
    else if (errored)
        (void)verdict_no(
            v, ANSWER_DESTINATION, true, "the destination is out of service",
            "the listener of this from and to is errored: see `waybill listeners`");
    else if (dest)
        (void)verdict_no(v, ANSWER_ORIGIN, false, "no agreement with this originator",
                         "no process has this from.odette_id together with this to.odette_id");
    else
        (void)verdict_no(v, ANSWER_DESTINATION, false, "destination not known here",
                         "to.odette_id: no listening process has this destination; relay, if "
                         "it is for somebody behind us");
    return NULL;
}

/* ---- what is agreed ---------------------------------------------------------------------- */

static bool check_format(const struct config_process *p, const struct oftp_sfid *f,
                         struct verdict *v)
{
    const char *formats = p->formats == NULL ? "FVUT" : p->formats;
    uint32_t longest = p->max_record_length == 0 ? OFTP_OEB_MAX : p->max_record_length;

    if (p->file_name != NULL && fnmatch(p->file_name, f->dsn, 0) != 0)
        return verdict_no(v, ANSWER_FILENAME, false, "file name not agreed",
                          "start.operation.file_name");
    if (strchr(formats, f->fmt) == NULL)
        return verdict_no(v, ANSWER_FORMAT, false, "record format not agreed",
                          "start.operation.formats");
    if (f->fmt == 'F' && f->env == 0 && f->lrecl == 0)
        return verdict_no(v, ANSWER_RECORD_LENGTH, false, "format F needs a record length",
                          "the partner's SFIDLRECL");
    if ((f->fmt == 'F' || f->fmt == 'V') && f->lrecl > longest)
        return verdict_no(v, ANSWER_RECORD_LENGTH, false, "record length too large",
                          "start.operation.max_record_length");
    return true;
}

static bool check_size(const struct session *s, const struct config_process *p,
                       const struct oftp_sfid *f, struct verdict *v)
{
    uint64_t limit =
        p->max_file_size != 0 ? p->max_file_size : s->rt->oftp2_server.max_file_size;
    uint64_t space = payload_space(s->g->store);

    if (limit != 0 && f->fsiz > oftp_blocks(limit))
        return verdict_no(v, ANSWER_SIZE, false, "file larger than agreed",
                          "max_file_size of the operation, or of oftp2_server");
    /* A size that does not fit the disk is believed only to say "later". */
    if (f->fsiz > space / OFTP_BLOCK)
        return verdict_no(v, ANSWER_SIZE, true, "not enough space at the moment",
                          "free space below runtime.data_directory");
    return true;
}

/* Whether SFIDCIPH is among the suites of the operation; 08 to 10 only when named. */
static bool suite_allowed(const struct config_process *p, unsigned ciph)
{
    if (p->cipher_suites == NULL)
        return ciph >= 1 && ciph <= 7;
    for (const char *const *name = p->cipher_suites; *name != NULL; name++)
        if (config_cipher_suite(*name) == (int)ciph)
            return true;
    return false;
}

/* What the operation asks for comes from the operation, never from the file. */
static bool check_required(const struct config_process *p, const struct oftp_sfid *f,
                           struct verdict *v)
{
    if (p->require.encrypted && (f->sec & 1) == 0)
        return verdict_no(v, ANSWER_UNENCRYPTED, false, "the file must be encrypted",
                          "start.operation.require.encrypted");
    if (p->require.is_signed && (f->sec & 2) == 0)
        return verdict_no(v, ANSWER_UNSIGNED, false, "the file must be signed",
                          "start.operation.require.signed");
    if (p->require.compressed && f->comp == 0)
        return verdict_no(v, ANSWER_UNSPECIFIED, false, "the file must be compressed",
                          "start.operation.require.compressed");
    if (p->require.signed_receipt && !f->sign)
        return verdict_no(v, ANSWER_UNSPECIFIED, false, "a signed receipt must be asked for",
                          "start.operation.require.signed_receipt");
    return true;
}

static bool check_security(const struct listener *l, const struct oftp_sfid *f,
                           struct verdict *v)
{
    const struct config_process *p = l->process;

    if (!check_required(p, f, v))
        return false;
    if ((f->sec != 0 || f->comp != 0) && f->env == 0)
        return verdict_no(v, ANSWER_UNSPECIFIED, false,
                          "SFIDENV must be 1 when SFIDSEC or SFIDCOMP is set",
                          "the partner's program announces itself inconsistently");
    if (strcmp(l->to.code, f->dest) != 0)
        return true; /* relayed: what is inside is for others */
    if ((f->sec & 1) != 0 && l->to.cfg->decryption_certificate == NULL)
        return verdict_no(v, ANSWER_ENCRYPTED, false, "encrypted files are not agreed",
                          "to.decryption_certificate");
    if ((f->sec & 2) != 0 && l->from.cfg->signature_verification_certificate == NULL)
        return verdict_no(v, ANSWER_SIGNED, false, "signed files are not agreed",
                          "from.signature_verification_certificate");
    if ((f->sec != 0 || f->sign) && !suite_allowed(p, f->ciph))
        return verdict_no(v, ANSWER_CIPHER, false, "cipher suite not agreed",
                          "start.operation.cipher_suites");
    if (f->env != 0 && f->sec == 0 && f->comp == 0)
        return verdict_no(v, ANSWER_UNSPECIFIED, false,
                          "certificates in an envelope without protection are not taken",
                          "the partner sends certificates: import them by hand");
    return true;
}

static bool stamp_valid(const struct oftp_sfid *f)
{
    return f->dsn[0] != '\0' && f->date[0] != '\0' && f->time[0] != '\0';
}

const struct listener *incoming_decide(struct session *s, const struct snapshot *sn,
                                       const struct oftp_sfid *f, struct verdict *v)
{
    const struct listener *l = route(s, sn, f, v);

    if (l == NULL)
        return NULL;
    if (l->state == LISTENER_PAUSED) {
        (void)verdict_no(v, ANSWER_ACCESS, true, "the listener is paused: try later",
                         "`waybill listeners resume` starts it again");
        return NULL;
    }
    if (store_failed(s->g->store)) {
        (void)verdict_no(
            v, ANSWER_ACCESS, true, "nothing can be stored at the moment: try later",
            "the disk below runtime.data_directory failed to sync: restart Waybill");
        return NULL;
    }
    if (!stamp_valid(f)) {
        (void)verdict_no(v, ANSWER_FILENAME, false, "SFIDDSN, SFIDDATE or SFIDTIME is empty",
                         "the partner's program");
        return NULL;
    }
    if (exchange_kind(f->dsn) != NULL && strcmp(l->to.code, f->dest) == 0)
        return exchange_check(f, v) && check_size(s, l->process, f, v) ? l : NULL;
    if (!check_format(l->process, f, v) || !check_size(s, l->process, f, v) ||
        !check_security(l, f, v))
        return NULL;
    return l;
}
