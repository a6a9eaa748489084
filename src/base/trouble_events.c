/* Events of the log that are warnings or errors. */
#include "base/trouble.h"

/* clang-format off */
#define EVENT(name, means, cause, cure) { TROUBLE_EVENT, name, means, cause, cure }

static const struct trouble rows[] = {
    /* the program and the admin API */
    EVENT("serve.failed", "the runtime could not start, or ended in error", "The reason says it: settings, a port in use, a data directory held by another runtime, rights, a disk that failed.", "Mend it and start again; `waybill check` finds what is wrong with settings and components."),
    EVENT("serve.descriptors", "the limit of open files is too low for the connections allowed", "LimitNOFILE of the service, or ulimit -n.", "Raise it, or lower `max_connections`: docs/sizing.md."),
    EVENT("serve.sandbox", "the system did not let the runtime give up all that it wanted to", "A kernel without seccomp, or a container that refuses it; the error says which part.", "The runtime works without that part. Allow it in what starts the runtime, or set `runtime.sandbox` to false."),
    EVENT("serve.reload.problem", "a setting or component is wrong", "The text has file, line and column.", "Correct it, then `waybill reload`."),
    EVENT("serve.reload.refused", "nothing was read again", "One of the problems told before it.", "Correct it, then `waybill reload`; the runtime goes on as before."),
    EVENT("runtime.reload.later", "settings were changed that count from the next start", "`waybill reload` or SIGHUP takes the settings of `log` and `alerts`, not those named here.", "Restart when it suits: `waybill stop` lets transfers finish."),
    EVENT("gateway.reload.refused", "nothing was read again", "The answer to `waybill reload` has the problems.", "Correct them and repeat it."),
    EVENT("api.failed", "a request to the admin API failed inside", "The error says why: the store, the disk, memory.", "Look at the disk; when it stays, report it with the line."),
    EVENT("api.tls", "the admin port cannot do TLS", "`admin.ssl_certificate` is missing, has no key, or has ended.", "`waybill certificates list`; import the certificate over the Unix socket."),
    EVENT("api.full", "too many connections to the admin API", "A program opens connections and keeps them.", "Find it by its address; 64 at a time are served."),
    EVENT("api.thread.failed", "no thread can be started", "A limit of threads or memory.", "TasksMax of the service, memory: docs/sizing.md."),
    EVENT("api.accept.failed", "a connection could not be accepted", "Descriptors or memory are out.", "LimitNOFILE of the service: docs/sizing.md."),
    EVENT("api.logon.failed", "somebody could not log on to the admin API", "A wrong password or token, or somebody tries.", "Look at `peer`; many of them from one address are slowed down. `waybill users`, `waybill tokens`."),
    EVENT("api.token.note", "when a token was used last could not be noted", "The store: see the reason.", "Look at the disk."),
    EVENT("api.download.cut", "a download ended early", "The payload could not be read.", "Look at the disk below `runtime.data_directory`."),
    EVENT("api.refused", "a request was not allowed", "`why`: role (the user may not), host or site (a foreign web page), csrf (an old session).", "Give the user another role, or log on again."),
    EVENT("backup.failed", "no backup was made", "The folder exists, is full, or may not be written.", "Give a new folder on a disk with room; see the reason."),
    EVENT("overview.incomplete", "the overview lacks what was before the start", "The store could not be read.", "Look at the disk; it fills by itself from now on."),
    EVENT("log.level", "an operator changed what is logged", "`waybill log-level`; it is noted here so that gaps in the log are explained.", "None, when it was meant."),
    EVENT("alert.failed", "an alert could not be delivered", "The webhook or mail server does not answer, or refuses it.", "`waybill alert-test` shows the answer; see `alerts` in waybill.yaml. It is tried again."),
    EVENT("alert.lost", "more documents failed at once than alerts remember", "A flood of failures.", "`waybill documents --state failed` has all of them."),

    /* connections */
    EVENT("oftp2.connection.refused", "a connection was turned away", "Too many of them in all or from this address, or no thread could be started.", "`look_at` names the limit; raise it, or ask the partner why it opens so many."),
    EVENT("as2.connection.refused", "a connection was turned away", "Too many of them in all or from this address, or no thread could be started.", "`look_at` names the limit; raise it, or ask the partner why it opens so many."),
    EVENT("oftp2.accept", "a connection could not be accepted", "Descriptors or memory are out.", "LimitNOFILE of the service: docs/sizing.md."),
    EVENT("as2.accept", "a connection could not be accepted", "Descriptors or memory are out.", "LimitNOFILE of the service: docs/sizing.md."),
    EVENT("oftp2.stop", "the server could not be told to stop", "The system refused a small write.", "End it with SIGKILL when it does not end; nothing is lost."),
    EVENT("as2.stop", "the server could not be told to stop", "The system refused a small write.", "End it with SIGKILL when it does not end; nothing is lost."),
    EVENT("oftp2.connection.failed", "a connection ended before OFTP2 began", "TLS failed: no common version, a certificate that one side refuses, or no TLS at all on this port. Port scanners do it, too.", "See the reason; compare ports and certificates with the partner whose address it is."),
    EVENT("as2.connection.failed", "a connection ended before a request", "TLS failed: no common version, a certificate that one side refuses, or no TLS at all on this port. Port scanners do it, too.", "See the reason; compare ports and certificates with the partner whose address it is."),
    EVENT("oftp2.endpoint.tls", "an endpoint cannot do TLS", "`server_ssl_certificate` is missing, has no key, or has ended.", "`waybill certificates list`; import or apply the certificate."),
    EVENT("as2.endpoint.tls", "an endpoint cannot do TLS", "`ssl_certificate` is missing, has no key, or has ended.", "`waybill certificates list`; import or apply the certificate."),

    /* OFTP2 */
    EVENT("oftp2.logon.refused", "a partner could not log on", "Its code or password is not known, its certificate is not the agreed one, or its listener is errored.", "`look_at` names the setting, `esid` the reason: see below."),
    EVENT("oftp2.authentication.failed", "secure authentication failed", "The partner could not decrypt our challenge, or we not its.", "Exchange the certificates for authentication again."),
    EVENT("oftp2.session.end", "a session ended in error", "The reason is the ESID of one side, or what happened to the connection.", "See the code below; `waybill trace PARTNER` and call again."),
    EVENT("oftp2.call.failed", "a partner could not be called", "It is not reached, its certificate does not please, or it ended the session.", "`waybill test PARTNER` tells step by step. It is called again by itself."),
    EVENT("oftp2.file.refused", "a file offered was refused (SFNA)", "`sfna` and the reason: no listener for origin and destination, less secure than agreed, a duplicate, too big.", "`look_at` names the setting; see the code below."),
    EVENT("oftp2.refusals", "further refusals of this session are not kept", "A partner offers many files that are refused.", "Look at the first ones; tell the partner."),
    EVENT("oftp2.file.failed", "a file was received and refused at its end (EFNA)", "Its count of records or octets is wrong, or it could not be stored.", "See `efna` below; the partner sends it again."),
    EVENT("oftp2.file.cut", "a file was cut off because its data broke the protocol", "The partner's buffers are damaged, or beyond what was offered.", "`waybill trace PARTNER`; send it to the partner."),
    EVENT("oftp2.file.anew", "a restart was not possible: the file begins again", "What was kept of it does not fit any more.", "None."),
    EVENT("oftp2.file.store", "a file under way could not be stored", "The disk is full or broken, or rights are missing.", "Look at the disk; nothing was acknowledged, the partner sends it again."),
    EVENT("oftp2.file.restart_point", "a restart point could not be stored", "The disk is full or slow.", "Look at the disk; after a break the file goes on from an earlier point."),
    EVENT("oftp2.send.failed", "a file could not be sent", "The partner refused it for good (SFNA, EFNA), or every attempt failed.", "See the reason; mend it and `waybill retry`."),
    EVENT("oftp2.send.stranded", "files wait for a partner or identity that is gone", "It was deleted, or its `odette_id` was changed, while they waited. They are `failed` now.", "`waybill resend ID` sends each to the partner as it is deployed now; `waybill documents --state failed` lists them."),
    EVENT("oftp2.send.unreadable", "a payload could not be read for sending", "The file below `runtime.data_directory` is damaged or gone.", "Look at the disk and at what removes files there; restore a backup."),
    EVENT("oftp2.receipt.received", "a negative receipt, or one that fits no document sent to its sender", "A NERP: the partner could not process the file. Else its fields are not those we sent, or it came from somebody else.", "See the code below and `waybill receipts`; ask the partner."),
    EVENT("oftp2.receipt.refused", "a receipt proves nothing", "A signed receipt was asked for: it has no signature, a wrong one, or another hash.", "Compare `acknowledgment_verification_certificate` with the partner's certificate of today."),
    EVENT("oftp2.receipt.unsigned", "our receipt could not be signed", "The certificate for receipts is missing, without its key, or over.", "See `acknowledgment_signing_certificate` of the identity."),
    EVENT("oftp2.receipt.later", "a receipt could not be sent now", "The session ended, or the payload could not be read.", "None: it goes with the next session."),
    EVENT("oftp2.receipt.store", "a receipt could not be stored", "The store failed; it was not acknowledged, and comes again.", "Look at the disk."),

    /* AS2 */
    EVENT("as2.request.refused", "an AS2 request was refused", "`status` and the reason: names that are not agreed, an address or certificate that is not allowed, a bad header.", "`look_at` names the setting; see the status below."),
    EVENT("as2.message.refused", "an AS2 message was received and refused with a negative MDN", "`disposition` and the reason: signature, encryption, less secure than agreed, file name.", "`look_at` names the setting; see the disposition below."),
    EVENT("as2.message.failed", "an AS2 message could not be sent", "The partner answers with an error for good, or every attempt failed, or the MDN is negative.", "See the reason; mend it and `waybill retry`."),
    EVENT("as2.message.later", "an AS2 message must wait", "Sending: the partner was not reached or said later. Receiving: we said 503.", "None: it is tried again. When it stays: `waybill test PARTNER`."),
    EVENT("as2.message.cut", "a message ended before its end", "The connection was lost, or the body is damaged.", "The partner sends it again; look at what stands between."),
    EVENT("as2.receipt_request", "the MDN asked for cannot be given as asked", "Disposition-Notification-Options or the address does not please.", "See the reason; have the partner correct it."),
    EVENT("as2.mdn.received", "an MDN is negative, fits no message, contradicts the one before, or its MIC is another", "`matched` and the reason say which.", "`waybill show ID` has the receipts; ask the partner."),
    EVENT("as2.mdn.unreadable", "what came as an MDN cannot be read", "The partner's program or a proxy damaged it.", "Send it to the partner; the message stays unanswered."),
    EVENT("as2.mdn.unsigned", "a signed MDN was asked for and is not signed", "The certificate for MDNs is missing, without its key, or over.", "See `to.mdn_signing_certificate`."),
    EVENT("as2.mdn.certificate", "the certificate for MDNs cannot be used", "It is missing, without its key, or over.", "See `to.mdn_signing_certificate`."),
    EVENT("as2.mdn.url", "an asynchronous MDN is asked for at a URL that is not allowed", "It is not the partner's, or not of the public Internet.", "See `mdn_delivery` of the operation and `mdn_url`."),
    EVENT("as2.mdn.later", "an asynchronous MDN could not be delivered now", "The partner's URL does not answer.", "None: it is tried again up to `mdn_retry_for`."),
    EVENT("as2.mdn.undelivered", "an asynchronous MDN was given up", "The partner's URL never took it.", "Tell the partner; correct `mdn_url`. The message itself is here."),
    EVENT("as2.duplicate", "a message came again", "The partner sent it twice, or our MDN did not reach it. It is answered with the same MDN and not delivered again.", "None; when it is frequent, ask whether our MDNs arrive."),
    EVENT("as2.failure_budget", "too many messages that fail come from there", "A broken program, or somebody tries keys; further ones are told only that something is wrong.", "See `ip_filter`, `client_ssl_certificate` or `username` of the operation."),
    EVENT("as2.keys", "none of our keys for decryption can be used", "The certificate is missing, without its key, or over.", "See `to.decryption_certificate`."),
    EVENT("as2.weak_digest", "a message is signed with SHA-1", "An old program or setting of the partner.", "Ask it to sign with SHA-256; then set `minimum_digest`."),
    EVENT("as2.signature.again", "two messages have the same signature", "One content was sent twice under two Message-IDs, or somebody replays it.", "Look at both documents."),
    EVENT("as2.name.blank", "a name has a blank at its end or within", "The partner's program; it was looked up without it.", "See `allow_blanks`; ask the partner to correct it."),
    EVENT("as2.certificate.expired", "a message is signed by a certificate that is over, within the days of grace", "The partner did not renew it.", "Ask for the new one before `expired_grace_days` are over."),
    EVENT("as2.open.count", "how often a message was opened could not be noted", "The store: see the reason.", "Look at the disk."),

    /* documents */
    EVENT("document.failed", "a process failed for a document", "The reason names the step and what it said.", "Mend it, then `waybill retry ID`: it goes on with that step."),
    EVENT("document.refused", "a document was received and refused when it was opened", "`nerp` and the reason: signature, decryption, decompression, or less secure than agreed.", "`look_at` names the setting; the partner gets the NERP and sends it anew."),
    EVENT("document.seal", "a document could not be signed, compressed or encrypted", "A certificate is missing, over, or without its key; or the disk was full for minutes: see the reason.", "Mend it, then `waybill retry ID`."),
    EVENT("receipt.overdue", "no receipt came in time", "The partner's process has not run, its receipt waits there, or it was lost.", "Ask the partner; `receipt_timeout` says how long is waited. A late one still settles it."),
    EVENT("job.later", "something is tried again later", "The reason says why it did not work now.", "None, unless it stays."),
    EVENT("archive.receipt", "a receipt could not be archived", "The folder is full or may not be written.", "See `archiving.directory`; the receipt itself is in the store."),
    EVENT("relay.failed", "a document to be passed on could not be", "The next station refused it, or was not reached in time; the originator gets a NERP.", "See the reason and the copy's timeline."),
    EVENT("relay.unanswered", "a copy that was passed on has no receipt", "The recipient did not answer.", "Ask it, or `waybill reject` the document it is a copy of."),

    /* store */
    EVENT("store.commit", "something could not be stored", "The disk is full or broken, or somebody else changed the same document. Nothing was acknowledged.", "Look at the disk; it is tried again."),
    EVENT("store.jobs", "jobs could not be read", "The store: see the reason.", "Look at the disk."),
    EVENT("store.key.readable", "others may read the store key", "Its file has too many rights.", "chmod 600 of the file."),
    EVENT("retention.failed", "old documents could not be removed", "The store or the disk: see the reason.", "Look at the disk; it is tried again."),

    /* certificates */
    EVENT("certificate.expires", "a certificate ends soon", "The last usable one of the component has days left.", "`waybill certificates import NAME FILE --next`, and give ours to the partners in time: docs/certificates.md."),
    EVENT("certificate.expired", "a certificate has ended", "It was not renewed; what is signed by or encrypted for it is refused.", "`waybill certificates import NAME FILE`."),
    EVENT("certificate.unusable", "a certificate cannot be used", "Its file cannot be read, the key is missing or another one's, or it is revoked.", "The reason says which; import it again."),
    EVENT("certificates.not_loaded", "certificates could not be loaded anew", "The store could not be read.", "Look at the disk; the ones before are used."),
    EVENT("certificate.key.exported", "a private key left the store", "An operator exported it; it is in the audit log.", "None, when it was meant."),
    EVENT("certificate.signer_refused", "a signature is by a certificate that may not sign", "Its key usage forbids it, or it is over.", "Get a certificate for signing from the partner."),
    EVENT("certificate.exchanged", "a partner's certificate was taken into use", "Certificate exchange, by an operator or by agreement.", "None; with `replace` the old one is refused from now on."),
    EVENT("certificate.refused", "a certificate that a partner sent was refused", "It is not of an authority agreed, over, or not of this partner.", "See `certificate_exchange` and `certificate_authorities` of the partner."),
    EVENT("certificate.waits", "a certificate that a partner sent waits for an operator", "`certificate_exchange` is `manual`, or it is of no authority agreed.", "`waybill exchange`; compare the fingerprint by telephone; `waybill acknowledge` or `waybill reject`."),
    EVENT("crl.overdue", "a revocation list is over", "It was not fetched anew.", "Put the current list at `crl_file`; with `crl_strict` the certificate is refused until then."),
    EVENT("trust_list.overdue", "a trust list is over", "It was not fetched anew.", "Get the current one, `waybill trust-list`."),
    EVENT("trust_list.applied", "a trust list was applied and is over already", "It is an old one.", "Get the current one."),
    EVENT("trust_list.refused", "a trust list was refused", "Its signature is not by the signer agreed, or it is older than the one in use.", "See the reason; get it from its publisher."),

    /* components */
    EVENT("listener.errored", "a listener does not listen", "It collides with another, or a certificate or component it needs is missing.", "The reason names it; mend it and apply again, or `waybill listeners restart`."),
    EVENT("component.warning", "a component has what is probably not meant", "The text says what.", "Correct it, or leave it when it is meant."),

    /* watched folders */
    EVENT("outbox.unusable", "a watched folder cannot be used", "It is not there, or may not be read and written.", "Make it, give rights; for folders outside /var/lib/waybill see ReadWritePaths of the service."),
    EVENT("outbox.failed", "a file of a watched folder cannot be sent", "The `.reason` file beside it in `failed` says why.", "Correct it and move it back."),
    EVENT("outbox.later", "a file of a watched folder must wait", "It is still being written, or the store could not take it.", "None: it is tried again."),
    EVENT("outbox.stuck", "a file of a watched folder cannot be moved", "Rights are missing, or the disk is full.", "Give rights to the folder and what is in it."),
};
/* clang-format on */

const struct trouble_table trouble_events = { rows, sizeof(rows) / sizeof(rows[0]) };
