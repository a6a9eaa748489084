/* Errors of the system and its libraries, as they come up in many places, and our own that people
 * meet first. */
#include "base/trouble.h"

/* clang-format off */
#define TEXT(pieces, means, cause, cure) { TROUBLE_TEXT, pieces, means, cause, cure }

static const struct trouble rows[] = {
    TEXT("connection refused", "nobody listens at the address and port", "The partner's program does not run, the port is wrong, or a firewall answers for it.", "`waybill test PARTNER`; compare host and port; ask the partner whether our address is let in."),
    TEXT("no route to host|network is unreachable", "the network has no way there", "Routing, or a firewall.", "`waybill test PARTNER` from this machine; ask the network's people."),
    TEXT("name or service not known|name resolution|could not resolve", "the host's name is not found", "A typing error, or no name service.", "`getent hosts NAME` on this machine; correct `host` or `url` of the partner."),
    TEXT("timed out", "no answer in time", "A firewall drops packets, or the other side is slow or hangs.", "`waybill test PARTNER` says at which step. Ask whether our address is let in; see the timeouts of the partner."),
    TEXT("connection reset|broken pipe|closed the connection|connection lost", "the other side closed the connection", "It crashed, a firewall cut it, or it speaks TLS where we do not, or the other way round.", "`waybill trace PARTNER`; compare `session_level_encryption` and ports with the partner."),
    TEXT("certificate verify failed|certificate is not trusted|unable to get local issuer|self-signed certificate|self signed certificate", "the server's certificate does not come from where it should", "The partner has a new certificate, sends no intermediate one, or ours is for another server.", "`waybill test PARTNER` shows what it sent; import it: `waybill certificates import NAME FILE --next`."),
    TEXT("hostname mismatch|does not match|another name|is for another host", "the certificate is for another name", "`host` or `url` is an address or alias that is not in it.", "Use the name in the certificate, or allow it in the partner's settings."),
    TEXT("certificate has expired|certificate expired|has ended", "a certificate is over", "It was not renewed in time.", "Get the new one: docs/certificates.md, roll-over."),
    TEXT("alert certificate required|bad certificate|alert handshake failure|alert unknown ca", "the other side refused our TLS certificate, or a common version or cipher is missing", "It wants a client certificate, does not know ours, or speaks only old TLS.", "Give the partner the certificate; see `client_ssl_certificate`. TLS below 1.2 is not spoken."),
    TEXT("wrong version number|http request|unknown protocol|not an ssl", "one side speaks TLS and the other does not", "A wrong port, or `session_level_encryption` or `https` on one side only.", "3305 is OFTP2 without and 6619 with TLS; compare both settings."),
    TEXT("key values mismatch|key does not belong|does not fit the certificate", "private key and certificate are not of one pair", "Files were mixed up.", "Import both again, together."),
    TEXT("no space left|disk is full|database or disk is full|not enough space", "the disk is full", "Payloads, or something else on the same disk.", "Make room; set `retention`; nothing was acknowledged that was not stored."),
    TEXT("the disk failed to sync", "the disk did not keep what was written", "A broken disk, controller or network file system; or the data directory was deleted, moved or unmounted under the running program.", "Replace it, or put the directory back, then restart: nothing is stored until then."),
    TEXT("permission denied|operation not permitted", "rights are missing", "The files belong to another user than the one Waybill runs as, or the service's protection forbids the path.", "`ls -l` of the path; for folders outside /var/lib/waybill add ReadWritePaths to the unit (docs/operations.md, packages)."),
    TEXT("no such file or directory", "a path is not there", "A typing error, or a folder that was never made.", "Make it, or correct the setting the text names."),
    TEXT("too many open files", "descriptors are out", "More connections than the limit allows.", "Raise LimitNOFILE: docs/sizing.md."),
    TEXT("address already in use", "another program has the port", "A second runtime, or something else.", "`ss -ltnp`; change the port or stop the other one."),
    TEXT("another runtime holds it", "the data directory is in use", "A runtime is running on it already.", "`waybill stop`, or give each a data directory of its own."),
    TEXT("no runtime answers at|only the user who runs the runtime", "no runtime answers on the socket", "It does not run, or with another configuration or user.", "`systemctl status waybill`; give --config or --socket; the user must be root or waybill."),
    TEXT(", expected ", "somebody else was faster", "The document or component has changed since it was read.", "Look again and repeat it."),
    TEXT("was deployed earlier with the same", "two listeners cannot be told apart", "The same pair (ODETTE ID, password), or (AS2-From, AS2-To), in two processes; the one deployed later is errored.", "Give it another password or names, or delete one of them, then apply again."),
    TEXT("is not deployed", "a component is missing", "What refers to it was applied first, or it was deleted.", "Apply the missing one; all in one file is fine."),
    TEXT("unknown setting", "a setting that does not exist", "A typing error, or it belongs elsewhere.", "docs/configuration.md; the message names the nearest one."),
    TEXT("secrets_directory|secret '", "a secret is not found", "Neither WAYBILL_SECRET_NAME nor a file in `secrets_directory`.", "Write it into the file the text names, readable for the service's user, then `waybill reload`."),
    TEXT("MIC mismatch|content-MIC|the MIC", "the receipt's digest differs from ours", "The partner received something else than we sent, or made the MIC over other octets.", "Ask the partner to keep the message; compare digests: docs/as2.md."),
    TEXT("no MDN came", "the partner's receipt is missing", "It was not sent, or could not reach our `mdn_url`.", "Ask the partner; can it reach the URL from outside? `waybill retry` posts it again with the same Message-ID."),
    TEXT("no EERP or NERP", "the partner's receipt is missing", "Its process has not run, or its EERP waits for a session.", "Ask the partner; `waybill call PARTNER` fetches what waits."),
    TEXT("memory is out|out of memory", "memory is out", "Too many connections for the machine, or another program.", "docs/sizing.md; look at the machine."),
    TEXT("exited with|was ended by signal|was stopped after", "the command of an `exec` step failed", "What it printed is in the reason.", "Mend the command, then `waybill retry`."),
    TEXT("HTTP status", "a server answered with an error", "Of a step `http`: our own application. Of a message: the partner's server.", "The answer's text follows the status; see its log."),
};
/* clang-format on */

const struct trouble_table trouble_texts = { rows, sizeof(rows) / sizeof(rows[0]) };
