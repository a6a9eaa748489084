/* The reasons of the protocols. */
#include "base/trouble.h"

/* clang-format off */
#define ESID(code, means, cause, cure)   { TROUBLE_ESID, code, means, cause, cure }
#define ANSWER(code, means, cause, cure) { TROUBLE_ANSWER, code, means, cause, cure }
#define NERP(code, means, cause, cure)   { TROUBLE_NERP, code, means, cause, cure }
#define MDN(key, means, cause, cure)     { TROUBLE_DISPOSITION, key, means, cause, cure }
#define HTTP(code, means, cause, cure)   { TROUBLE_HTTP, code, means, cause, cure }

#define AS_ANSWER "As the SFNA or EFNA of this name: the file was passed on, and refused further along."
#define AS_CURE   "Ask who refused it (NERPCREA); see the SFNA and EFNA of this name below."

static const struct trouble rows[] = {
    ESID("0", "normal session termination", "Nothing is wrong.", "None is needed."),
    ESID("1", "command not recognised", "The first octet of a command is none of OFTP's: another program speaks on this port, or the stream is out of step.", "Look at `waybill trace PARTNER`: is it OFTP2 at all, and does one side speak TLS where the other does not?"),
    ESID("2", "protocol violation", "A command came when it was not its turn, or a rule of RFC 5024 was broken; the text says which.", "`waybill trace PARTNER` shows the commands before it. Send both to the side that broke the rule."),
    ESID("3", "user code not known", "No listener has this SSIDCODE as `from`, or the one we gave is not known to the partner.", "Compare `odette_id` of partner and identity with what the partner's form says, blanks included; is the listener errored or paused?"),
    ESID("4", "invalid password", "SSIDPSWD is not the one agreed; with several listeners of one code it also selects the identity.", "Agree on it again: `password` of the partner (theirs) and of the identity (ours), eight characters at most, upper case."),
    ESID("5", "local site emergency close down", "The side that said so is being stopped.", "Wait; the call is tried again."),
    ESID("6", "command contained invalid data", "A field has characters or a value that RFC 5024 forbids; the text names it.", "`waybill trace PARTNER` shows the field. It is for the side that sent it to mend."),
    ESID("7", "exchange buffer size error", "A buffer was longer than agreed in SSID, or the offer was below 128 octets.", "Set `buffer_size` lower, or have the partner do so."),
    ESID("8", "resources not available", "Too many connections or sessions, or no memory or disk.", "Look at `max_connections`, `max_connections_per_address`, `max_sessions_per_partner` of `oftp2_server`, and the disk."),
    ESID("9", "time out", "The other side was silent longer than allowed when it was its turn.", "Look at the network and at `inactivity_timeout`, `start_timeout`, `end_file_timeout`."),
    ESID("10", "mode or capabilities incompatible", "One side only sends and the other, too; or the levels, restart or special logic do not fit.", "Look at the SSIDs in `waybill trace PARTNER`: SSIDSR, SSIDLEV, SSIDSPEC."),
    ESID("11", "invalid challenge response", "In secure authentication the other side could not prove that it has its private key.", "Exchange the certificates again: `session_authentication_encrypting_certificate` of the partner, `session_authentication_challenge_certificate` of the identity."),
    ESID("12", "secure authentication requirements incompatible", "One side asks for secure authentication (SSIDAUTH) and the other does not offer it.", "Agree on `require_secure_authentication`."),
    ESID("99", "unspecified abort", "What no other code fits; the text says more.", "See the text, and the partner's log."),

    ANSWER("1", "invalid filename", "SFIDDSN has characters that are not allowed, or there is no process for it.", "Look at the name in `waybill show ID`; have it sent with A-Z, 0-9 and /-.&()."),
    ANSWER("2", "invalid destination", "No listener of this partner has SFIDDEST as its `to`.", "Deploy a process for the destination, or have the partner correct it; `relay` is for destinations behind us."),
    ANSWER("3", "invalid origin", "No listener has SFIDORIG as its `from`.", "Deploy a process for the originator, with `via` when the file comes through somebody else."),
    ANSWER("4", "storage record format not supported", "SFIDFMT is none that was agreed.", "Look at `formats` of the process, or have the partner send U."),
    ANSWER("5", "maximum record length not supported", "SFIDLRECL does not fit the format.", "Have the partner correct the record length."),
    ANSWER("6", "file size is too big", "SFIDFSIZ or SFIDOSIZ is beyond `max_file_size`, or there is no room on the disk.", "Raise `oftp2_server.max_file_size` or that of the process; look at the disk."),
    ANSWER("10", "invalid record count", "EFIDRCNT is not what was counted: records were lost, or the sender counts differently.", "It is sent again by itself. When it stays, send a trace to the partner."),
    ANSWER("11", "invalid byte count", "EFIDUCNT is not what was counted.", "As record count."),
    ANSWER("12", "access method failure", "The file could not be written or read, on this or the other side.", "Look at the disk and at the log's `oftp2.file.store`; it is sent again by itself."),
    ANSWER("13", "duplicate file", "The same name, date, time, originator and destination came before.", "None, when it was sent twice. A new file needs a new date and time; `duplicate_memory` and `reject_duplicates` say how long and whether."),
    ANSWER("14", "file direction refused", "The side takes no files in this session.", "Look at SSIDSR in the trace and at who calls."),
    ANSWER("15", "cipher suite not supported", "SFIDCIPH is none that was agreed.", "Look at `cipher_suites` of the process and `cipher_suite` of the partner."),
    ANSWER("16", "encrypted file not allowed", "The agreement is for files that are not encrypted.", "Have the partner send it plain, or change `require` of the process."),
    ANSWER("17", "unencrypted file not allowed", "The agreement asks for encryption: `require.encrypted`.", "Have the partner encrypt, or change the agreement."),
    ANSWER("18", "compression not allowed", "The agreement is for files that are not compressed.", "Have the partner send it plain, or change `require`."),
    ANSWER("19", "signed file not allowed", "The agreement is for files without a signature.", "Have the partner send it unsigned, or change `require`."),
    ANSWER("20", "unsigned file not allowed", "The agreement asks for a signature: `require.signed`.", "Have the partner sign, or change the agreement."),
    ANSWER("21", "invalid file signature", "The signature does not verify, or is by a certificate that was not agreed.", "Compare `signature_verification_certificate` with the partner's certificate of today."),
    ANSWER("22", "file decryption failure", "The file is not encrypted for a certificate whose key is here.", "Give the partner the certificate of `decryption_certificate` again."),
    ANSWER("23", "file decompression failure", "The compressed data is damaged.", "Have it sent again; when it stays, send it to the partner."),
    ANSWER("99", "unspecified reason", "What no other code fits; the text says more.", "See the text, and the partner's log."),

    NERP("3", "session ended: user code not known", "The next station does not know the code of who passes the file on.", "Ask who passes it on (NERPCREA)."),
    NERP("4", "session ended: invalid password", "The next station did not take the password of who passes the file on.", "Ask who passes it on (NERPCREA)."),
    NERP("9", "session ended: unspecified", "The session in which the file was to be passed on ended.", "Ask who passes it on (NERPCREA)."),
    NERP("11", "invalid filename", AS_ANSWER, AS_CURE), NERP("12", "invalid destination", AS_ANSWER, AS_CURE),
    NERP("13", "invalid origin", AS_ANSWER, AS_CURE), NERP("14", "storage record format not supported", AS_ANSWER, AS_CURE),
    NERP("15", "maximum record length not supported", AS_ANSWER, AS_CURE), NERP("16", "file size is too big", AS_ANSWER, AS_CURE),
    NERP("20", "invalid record count", AS_ANSWER, AS_CURE), NERP("21", "invalid byte count", AS_ANSWER, AS_CURE),
    NERP("22", "access method failure", AS_ANSWER, AS_CURE), NERP("23", "duplicate file", AS_ANSWER, AS_CURE),
    NERP("24", "file direction refused", AS_ANSWER, AS_CURE), NERP("25", "cipher suite not supported", AS_ANSWER, AS_CURE),
    NERP("26", "encrypted file not allowed", AS_ANSWER, AS_CURE), NERP("27", "unencrypted file not allowed", AS_ANSWER, AS_CURE),
    NERP("28", "compression not allowed", AS_ANSWER, AS_CURE), NERP("29", "signed file not allowed", AS_ANSWER, AS_CURE),
    NERP("30", "unsigned file not allowed", AS_ANSWER, AS_CURE),
    NERP("31", "file signature not valid", "The signature does not verify, or is by a certificate that was not agreed.", "Compare `signature_verification_certificate` with the signer's certificate of today."),
    NERP("32", "file decompression failed", "The compressed data is damaged.", "Send it again; when it stays, send it to whoever compressed it."),
    NERP("33", "file decryption failed", "The file is not encrypted for a certificate whose key the receiver has, or what is in it is damaged. For secured files one code stands for both, so that nobody can try keys.", "Compare the recipient's certificate: `encryption_certificate` of the partner, `decryption_certificate` of the identity."),
    NERP("34", "file processing failed", "The receiver took the file and its process failed.", "Ours: `waybill show ID` says at which step. The partner's: ask what it means."),
    NERP("35", "not delivered to recipient", "It was to be passed on and the recipient did not take it in time.", "Ask who passes it on; `relay` has the times."),
    NERP("36", "not acknowledged by recipient", "It was passed on and the recipient gave no receipt.", "Ask the recipient."),
    NERP("50", "transmission stopped by the operator", "An operator cancelled it.", "Ask why."),
    NERP("90", "file size incompatible with recipient's protocol version", "The size does not fit into the fields of the recipient's level.", "Send it in parts, or have the recipient's program renewed."),
    NERP("99", "unspecified reason", "What no other code fits; the text says more.", "See the text."),

    MDN("processed/error: authentication-failed", "the signature is not the partner's", "It does not verify, is by a certificate that was not agreed, or the certificate has ended or was revoked.", "Compare `from.signing_certificate` with what the partner signs with today; the log's `unknown_signer` names it."),
    MDN("processed/error: integrity-check-failed", "the content is not what was signed", "Something on the way changed it: a proxy, a mail gateway, a program that rewrites line ends.", "Have it sent again; compare the MICs, and look for what stands between."),
    MDN("processed/error: decryption-failed", "it could not be decrypted", "It is encrypted for another certificate, with an algorithm that is not taken, or damaged.", "Give the partner the certificate of `to.decryption_certificate` again."),
    MDN("processed/error: decompression-failed", "it could not be decompressed", "The compressed data is damaged or not ZLIB.", "Have it sent again; when it stays, send it to the partner."),
    MDN("processed/error: insufficient-message-security", "it is less protected than agreed", "The agreement (`require`) asks for a signature, encryption or a stronger digest.", "Have the partner sign and encrypt as agreed, or change `require` and `minimum_digest`."),
    MDN("processed/error: unexpected-processing-error", "the receiver failed", "Its store, disk or process failed, or what is inside is not what it should be.", "Ours: the log says why. The partner's: ask; `waybill retry` sends it anew."),
    MDN("processed/error: unknown-trading-partner", "no agreement for this AS2-From and AS2-To", "The names are not what the receiver has; they are compared with their case.", "Compare `as2_id` of partner and identity with what the partner has, blanks and case included."),
    MDN("processed/error: duplicate-filename", "a file of this name came before", "`file_names` refuses the same name again.", "Have it sent under another name, or change `file_names`."),
    MDN("processed/error: illegal-filename", "the file's name is not taken", "It is empty, too long, or has characters that are not allowed.", "Have it sent under another name, or change `file_names`."),
    MDN("failed/failure: unsupported MIC-algorithms", "none of the digests asked for is known", "Disposition-Notification-Options asks for a digest we do not have, and says it is required.", "Have the partner ask for sha-256."),
    MDN("failed/failure: unsupported format", "the receipt is asked for in a format that is not known", "Disposition-Notification-Options asks for another protocol than pkcs7-signature, as required.", "Have the partner ask for pkcs7-signature."),
    MDN("failed/failure: sender-equals-receiver", "AS2-From and AS2-To are the same", "The partner's configuration has our name, or its own, twice.", "Have the partner correct it."),
    MDN("failed/failure", "the request for a receipt cannot be fulfilled", "An attribute of Disposition-Notification-Options is required and not known.", "See the Failure field in the MDN; have the partner ask without it."),
    MDN("processed/warning: duplicate-document", "it came before", "The Message-ID, or the content, was received before; it was not delivered again.", "None, when it was sent twice."),

    HTTP("400", "the request is not what AS2 wants", "A header is missing, given twice, folded where it must not be, or damaged; the text names it.", "Send the text to the partner; `waybill trace` shows the headers."),
    HTTP("401", "credentials are missing or wrong", "The operation asks for `username` and `password`.", "Compare them with the partner's; a proxy may strip `Authorization`."),
    HTTP("403", "not allowed", "The address, the client certificate, or the pair AS2-From and AS2-To is not among those agreed; or the receipt's URL is not. The partner is not told which, the log is.", "See `reason` and `look_at` of `as2.request.refused`: `ip_filter`, `client_ssl_certificate`, `as2_id`."),
    HTTP("404", "there is nothing at this path", "The partner's URL has another path than `as2_server.path`.", "Give the partner the right URL."),
    HTTP("405", "only POST and HEAD are taken", "Somebody opened the URL with a browser, or a redirect made GET of POST.", "None for a browser. Else have the redirect removed."),
    HTTP("408", "the request did not come in time", "It stopped in the middle.", "Look at the network and `idle_timeout`, `min_octets_per_second`."),
    HTTP("409", "it is being received already", "The same message comes on another connection.", "None: the partner tries again."),
    HTTP("411", "the length is not told", "Neither Content-Length nor chunked encoding.", "Have the partner's program or proxy corrected."),
    HTTP("413", "too large", "The message is beyond `max_message_size`, or an MDN beyond 1 MiB.", "Raise `as2_server.max_message_size`, or have it sent in parts."),
    HTTP("414", "the request line is too long", "The target is no AS2 URL.", "Give the partner the right URL."),
    HTTP("415", "Content-Encoding is not used in AS2", "A proxy or program compresses the body by HTTP.", "Have it switched off: AS2 compresses inside the message."),
    HTTP("416", "the restart begins at another octet than is held", "The partner goes on from elsewhere.", "None: it asks with HEAD and goes on."),
    HTTP("417", "an expectation that is not known", "Expect is other than 100-continue.", "Have the partner's program or proxy corrected."),
    HTTP("431", "the header is too long", "Too many or too long fields.", "Have the partner's program or proxy corrected."),
    HTTP("500", "the store could not take it", "The disk is full or broken; or the same transfer (its ETag) is being received on another connection. Nothing was acknowledged.", "See the log's line at the same time."),
    HTTP("501", "a transfer coding that is not known", "Transfer-Encoding is other than chunked.", "Have the partner's program or proxy corrected."),
    HTTP("503", "later", "The runtime is being stopped or has too many connections, or there is no room on the disk. Nothing was acknowledged.", "The partner tries again. See the log: `max_connections`, the disk."),
    HTTP("505", "another version of HTTP", "Only HTTP/1.0 and HTTP/1.1 are spoken.", "Have the partner's program or proxy use HTTP/1.1."),
};
/* clang-format on */

const struct trouble_table trouble_codes = { rows, sizeof(rows) / sizeof(rows[0]) };
