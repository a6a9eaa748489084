/* The table of requests and of what they answer. docs/api.md says more to readers. */
#include "api/route.h"

/* clang-format off */
const struct api_route api_routes[] = {
    { "GET", "/healthz", api_health, ROLE_NONE, "getHealth", "whether the process answers",
      NULL, NULL, NULL, "200 Status" },
    { "GET", "/readyz", api_ready, ROLE_NONE, "getReady", "whether it takes work; 503 while starting or stopping",
      NULL, NULL, NULL, "200 Status" },
    { "GET", "/metrics", api_metrics, ROLE_VIEWER, "getMetrics", "counters in Prometheus form",
      NULL, NULL, NULL, "200 text" },
    { "GET", "/api/v1/openapi.json", api_openapi, ROLE_VIEWER, "getOpenapi", "this document",
      NULL, NULL, NULL, "200 {any}" },
    { "GET", "/api/v1/runtime", api_runtime, ROLE_VIEWER, "getRuntime", "name, version and where it listens",
      NULL, NULL, NULL, "200 Runtime" },
    { "POST", "/api/v1/reload", api_reload, ROLE_ADMIN, "reload", "read the settings and certificates again",
      NULL, NULL, NULL, "200 Reloaded" },
    { "POST", "/api/v1/backup", api_backup, ROLE_ADMIN, "backup", "make a backup on the runtime's machine",
      NULL, "directory!:s", NULL, "200 Backup" },
    { "POST", "/api/v1/stop", api_stop_runtime, ROLE_ADMIN, "stop", "end as SIGTERM does",
      NULL, NULL, NULL, "202 Stopping" },

    { "GET", "/api/v1/components", api_components, ROLE_VIEWER, "listComponents", "what is deployed",
      NULL, "kind:Kind", NULL, "200 Components" },
    { "POST", "/api/v1/components", api_apply, ROLE_ADMIN, "applyComponents", "check and deploy a YAML stream, all of it or nothing",
      NULL, "file:s dry_run:s", "yaml", "200 Applied" },
    { "GET", "/api/v1/components/{kind}/{name}", api_component, ROLE_VIEWER, "getComponent", "one, with its text",
      "kind:Kind name:s", NULL, NULL, "200 Component" },
    { "DELETE", "/api/v1/components/{kind}/{name}", api_component_delete, ROLE_ADMIN, "deleteComponent", "take one away; 409 when others refer to it",
      "kind:Kind name:s", NULL, NULL, "200 Deleted" },

    { "GET", "/api/v1/certificates", api_certificates, ROLE_VIEWER, "listCertificates", "all certificates, with their state and users",
      NULL, NULL, NULL, "200 Certificates" },
    { "POST", "/api/v1/certificates/{name}/import", api_certificate_import, ROLE_ADMIN, "importCertificate", "make or renew a certificate component",
      "name:s", "next:s", "CertificateImport", "200 CertificateImported" },
    { "POST", "/api/v1/certificates/{name}/export", api_certificate_export, ROLE_ADMIN, "exportCertificate", "a certificate, its chain and, encrypted, its key",
      "name:s", NULL, "CertificateExport", "200 CertificateExported" },
    { "POST", "/api/v1/trust-lists/{name}", api_trust_list, ROLE_ADMIN, "applyTrustList", "make a trust list a certificate component",
      "name:s", "signer:s", "xml", "200 TrustList" },
    { "GET", "/api/v1/exchange", api_exchange_pending, ROLE_VIEWER, "listExchange", "certificates that partners sent and that wait for an operator",
      NULL, NULL, NULL, "200 ExchangePending" },

    { "GET", "/api/v1/listeners", api_listeners, ROLE_VIEWER, "listListeners", "listeners with their state",
      NULL, NULL, NULL, "200 Listeners" },
    { "POST", "/api/v1/listeners/{name}/{action}", api_listener_do, ROLE_OPERATOR, "doListener", "pause, resume or restart one",
      "name:s action:ListenerAction", NULL, NULL, "200 Listener" },

    { "GET", "/api/v1/documents", api_documents, ROLE_VIEWER, "listDocuments", "search, newest first",
      NULL, "state:DocumentState partner:s protocol:s direction:Direction name:s text:s listener:s from:s to:s label:s value:s before:i limit:i", NULL, "200 Documents" },
    { "POST", "/api/v1/documents", api_send, ROLE_OPERATOR, "sendDocument", "send the body to a partner",
      NULL, "partner!:s identity:s destination:s name:s file_name:s description:s format:s record_length:i record_delimiter:s key:s protocol:s content_type:s subject:s", "octets", "201 Created" },
    { "GET", "/api/v1/documents/{id}", api_document, ROLE_VIEWER, "getDocument", "one, with all that belongs to it",
      "id:i", NULL, NULL, "200 DocumentDetails" },
    { "GET", "/api/v1/documents/{id}/{what}", api_document_octets, ROLE_VIEWER, "getDocumentOctets", "its octets, raw or opened",
      "id:i what:DocumentForm", NULL, NULL, "200 octets" },
    { "POST", "/api/v1/documents/{id}/{what}", api_document_do, ROLE_OPERATOR, "doDocument", "retry, acknowledge, reject or cancel it",
      "id:i what:DocumentAction", "text:s", NULL, "200 Document" },
    { "GET", "/api/v1/receipts", api_receipts, ROLE_VIEWER, "listReceipts", "receipts, newest first",
      NULL, "document:i state:s", NULL, "200 Receipts" },
    { "GET", "/api/v1/jobs", api_jobs, ROLE_VIEWER, "listJobs", "what is still to be done",
      NULL, "document:i", NULL, "200 Jobs" },

    { "GET", "/api/v1/sessions", api_sessions, ROLE_VIEWER, "listSessions", "sessions under way, with progress",
      NULL, NULL, NULL, "200 Sessions" },
    { "POST", "/api/v1/partners/{name}/call", api_partner_call, ROLE_OPERATOR, "callPartner", "call it now",
      "name:s", NULL, NULL, "202 Called" },
    { "POST", "/api/v1/partners/{name}/test", api_partner_test, ROLE_OPERATOR, "testPartner", "connect, log on, say what was found",
      "name:s", NULL, NULL, "200 PartnerTest" },
    { "POST", "/api/v1/partners/{name}/certificates", api_exchange, ROLE_ADMIN, "sendCertificates", "send ours by certificate exchange",
      "name:s", "what!:ExchangeKind certificate:s", NULL, "201 CertificatesSent" },
    { "GET", "/api/v1/trace", api_trace, ROLE_OPERATOR, "trace", "decoded commands from now on, until the client closes",
      NULL, "partner:s", NULL, "200 text" },

    { "GET", "/api/v1/session", api_session, ROLE_VIEWER, "getSession", "who asks",
      NULL, NULL, NULL, "200 Session" },
    { "POST", "/api/v1/session", api_session_post, ROLE_NONE, "logOn", "log on by name and password; sets a cookie",
      NULL, NULL, "LogOn", "200 Session" },
    { "DELETE", "/api/v1/session", api_session_delete, ROLE_VIEWER, "logOff", "end the session",
      NULL, NULL, NULL, "200 Ended" },
    { "POST", "/api/v1/session/password", api_session_password, ROLE_VIEWER, "setOwnPassword", "one's own password",
      NULL, NULL, "OwnPassword", "200 Session" },
    { "GET", "/api/v1/users", api_users, ROLE_ADMIN, "listUsers", "who may log on",
      NULL, NULL, NULL, "200 Users" },
    { "POST", "/api/v1/users", api_user_add, ROLE_ADMIN, "addUser", "add one; 409 when there is one of this name",
      NULL, NULL, "UserNew", "201 User" },
    { "POST", "/api/v1/users/{name}/password", api_user_password, ROLE_ADMIN, "setPassword", "give a new password; the user's sessions end",
      "name:s", NULL, "PasswordNew", "200 User" },
    { "POST", "/api/v1/users/{name}/role", api_user_role, ROLE_ADMIN, "setRole", "give another role",
      "name:s", NULL, "RoleNew", "200 User" },
    { "DELETE", "/api/v1/users/{name}", api_user_delete, ROLE_ADMIN, "deleteUser", "take one away",
      "name:s", NULL, NULL, "200 Deleted" },
    { "GET", "/api/v1/tokens", api_tokens, ROLE_ADMIN, "listTokens", "API tokens; what they are is not kept",
      NULL, NULL, NULL, "200 Tokens" },
    { "POST", "/api/v1/tokens", api_token_add, ROLE_ADMIN, "addToken", "make one: told only here",
      NULL, NULL, "TokenNew", "201 TokenMade" },
    { "DELETE", "/api/v1/tokens/{name}", api_token_delete, ROLE_ADMIN, "deleteToken", "take one away",
      "name:s", NULL, NULL, "200 Deleted" },
    { "GET", "/api/v1/audit", api_audit_lines, ROLE_VIEWER, "listAudit", "who changed what, newest first",
      NULL, "who:s from:s to:s before:i limit:i", NULL, "200 Audit" },
};
const size_t api_routes_n = COUNT_OF(api_routes);

#define DOCUMENT \
    "id:i direction:Direction state:DocumentState protocol:s~ listener:s~ partner:s~ from:s~ to:s~ own:s~ peer:s~" \
    " name:s~ created:t~ changed:t~ size:i raw_size:i progress:i total:i records:i reason:s~ redelivered:b" \
    " properties:{s}"
#define COMPONENT "kind:Kind name:s version:i paused:b at:t~"
#define TOKEN     "name:s role:Role made_by:s~ created:t expires:t~ used:t~"

const struct api_schema api_schemas[] = {
    { "Error", "error:s problems?:[Problem]" },
    { "Problem", "file:s~ line:i column:i text:s" },
    { "Status", "status:s" },
    { "Deleted", "deleted:b" },
    { "Role", "=viewer|operator|admin" },
    { "Kind", "=certificate|identity|partner|process" },
    { "Direction", "=in|out" },

    { "Runtime", "name:s version:s pid:i endpoints:[Endpoint] admin:s~ admin_tls:b" },
    { "Endpoint", "protocol:s host:s port:i tls:b" },
    { "Reloaded", "reloaded:b" },
    { "Backup", "directory:s documents:i files:i linked:i octets:i sealed_keys:b" },
    { "Stopping", "stopping:b" },

    { "Components", "components:[ComponentHead]" },
    { "ComponentHead", COMPONENT },
    { "Component", COMPONENT " text:s" },
    { "Applied", "applied:[AppliedOne]" },
    { "AppliedOne", "kind:Kind name:s version:i unchanged:b warnings?:[s]" },

    { "Certificates", "certificates:[Certificate]" },
    { "Certificate", "name:s number:i subject:s issuer:s serial:s sha256:s valid_from:t~ valid_to:t~ days_left:i"
      " state:CertificateState problem:s has_key:b where:s used_by:[s] crl_next_update:t~ crl_overdue:b" },
    { "CertificateState", "=ok|expires|expired|revoked|not yet valid|unusable" },
    { "CertificateImport", "certificate?:s key?:s password?:s" },
    { "CertificateImported", "name:s version:i subject:s sha256:s days_left:i has_key:b problem:s" },
    { "CertificateExport", "number?:i chain?:b key?:b pkcs12?:b password?:s" },
    { "CertificateExported", "name:s certificate:s~ key?:s pkcs12?:s" },
    { "TrustList", "name:s version:i list:s" },
    { "ExchangePending", "certificates:[ExchangeCertificate]" },
    { "ExchangeCertificate", "document:i partner:s~ kind:s~ subject:s~ sha256:s~ not_after:t~ certificates:s~"
      " note:s~ received:t~" },
    { "ExchangeKind", "=deliver|replace|request" },
    { "CertificatesSent", "documents:[Created]" },

    { "Listeners", "listeners:[Listener]" },
    { "Listener", "name:s server:s state:ListenerState reason:s from:s to:s from_name:s to_name:s version:i"
      " documents:i failures:i last:t~" },
    { "ListenerState", "=listening|paused|errored" },
    { "ListenerAction", "=pause|resume|restart" },

    { "Documents", "documents:[Document] next:i~" },
    { "Document", DOCUMENT },
    { "DocumentDetails", DOCUMENT " events:[Event] receipts:[Receipt] tracked:[Tracked] executions:[Execution]"
      " jobs:[Job]" },
    { "DocumentState", "=receiving|received|opened|processing|processed|refused|failed|queued|sealed|sending|sent"
      "|acknowledged|rejected|overdue" },
    { "DocumentForm", "=raw|opened" },
    { "DocumentAction", "=retry|acknowledge|reject|cancel" },
    { "Created", "id:i" },
    { "Event", "at:t~ kind:s text:s~" },
    { "Tracked", "label:s value:s" },
    { "Execution", "id:i process:s~ started:t~ ended:t~ redelivered:b outcome:s~ text:s~" },
    { "Receipts", "receipts:[Receipt]" },
    { "Receipt", "id:i document:i~ kind:s~ direction:Direction state:s~ reason:i text:s~ creator:s~ at:t~ octets:s" },
    { "Jobs", "jobs:[Job]" },
    { "Job", "id:i kind:s document:i receipt:i own:s~ peer:s~ not_before:t~ attempts:i step:i last_error:s~" },

    { "Sessions", "sessions:[RunningSession]" },
    { "RunningSession", "id:i partner:s~ peer:s~ address:s~ state:s tls:s~ initiator:b since:t~ document:i~ done:i"
      " total:i octets_in:i octets_out:i" },
    { "Called", "called:b" },
    { "PartnerTest", "ok:b steps:[PartnerTestStep] trace:[s]" },
    { "PartnerTestStep", "step:s ok:b text:s~ ms:i" },

    { "Session", "who:s user:s~ role:Role csrf:s~ expires:t~" },
    { "LogOn", "name:s password:s" },
    { "Ended", "ended:b" },
    { "OwnPassword", "old:s password:s" },
    { "Users", "users:[User]" },
    { "User", "name:s role:Role created:t changed:t" },
    { "UserNew", "name:s role:Role password:s" },
    { "PasswordNew", "password:s" },
    { "RoleNew", "role:Role" },
    { "Tokens", "tokens:[Token]" },
    { "Token", TOKEN },
    { "TokenMade", TOKEN " token:s" },
    { "TokenNew", "name:s role:Role expires?:s~" },
    { "Audit", "audit:[AuditLine] next:i~" },
    { "AuditLine", "id:i at:t who:s from:s~ what:s~" },
};
/* clang-format on */
const size_t api_schemas_n = COUNT_OF(api_schemas);
