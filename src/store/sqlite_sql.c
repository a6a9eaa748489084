/* The schema and the statements. Numbers of states, kinds of payload and jobs are those of the
 * enums in store.h: they are in files, so they must never be given another meaning.
 *
 * Ids ascend, and every index ends with them: what has one key is walked backwards without sorting.
 * The search (sqlite_find.c) needs no more than that. Foreign keys are deferred: within a batch a document may come
 * after its octets. Each batch is checked at its end (sqlite_write.c). */
#include "store/sqlite_int.h"

_Static_assert(DOC_SENT == 11 && DOC_OVERDUE == 14 && PAYLOAD_FILE == 2 && JOB_SEAL == 5,
               "these numbers are in files");

/* Properties that are searched for, as the gateway names them. The signs around a Message-ID do not
 * count. */
#define MESSAGE_OF   "trim(json_extract(props, '$.\"as2.message_id\"'), ' <>')"
#define FILE_NAME_OF "json_extract(props, '$.file_name')"
/* Documents whose receipt an operator has to release: hardly ever many. As in a WHERE, with the words
 * that the gateway writes. */
#define HELD                                                                                   \
    "outbound = 0 AND json_extract(props, '$.acknowledge') = 'manual'"                         \
    " AND json_extract(props, '$.\"waybill.answered\"') IS NULL"

static const char step_1[] =
    "CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;"

    "CREATE TABLE document (id INTEGER PRIMARY KEY, outbound INTEGER NOT NULL,"
    " state INTEGER NOT NULL, protocol TEXT, listener TEXT, partner TEXT, sender TEXT,"
    " receiver TEXT, own TEXT, peer TEXT, name TEXT, identity_key TEXT,"
    " created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL, size INTEGER NOT NULL,"
    " raw_kind INTEGER NOT NULL, raw_size INTEGER NOT NULL, raw_path TEXT,"
    " opened_kind INTEGER NOT NULL, opened_size INTEGER NOT NULL, opened_path TEXT,"
    " progress INTEGER NOT NULL, total INTEGER NOT NULL, records INTEGER NOT NULL,"
    " reason TEXT, redelivered INTEGER NOT NULL, props TEXT);"
    "CREATE INDEX document_state ON document (state);"
    "CREATE INDEX document_partner ON document (partner);"
    "CREATE INDEX document_protocol ON document (protocol);"
    "CREATE INDEX document_name ON document (name);"
    "CREATE INDEX document_sender ON document (sender);"
    "CREATE INDEX document_receiver ON document (receiver);"
    "CREATE INDEX document_listener ON document (listener);"
    "CREATE INDEX document_outbound ON document (outbound);"
    "CREATE INDEX document_created ON document (created_ms);"
    "CREATE INDEX document_identity ON document (identity_key) WHERE identity_key IS NOT NULL;"
    "CREATE INDEX document_unanswered ON document (changed_ms) WHERE state = 11;"
    "CREATE INDEX document_file ON document (id, raw_kind, opened_kind)"
    " WHERE raw_kind = 2 OR opened_kind = 2;"

    /* The key is the document's id and the role in one number (sqlite_apply.c): what every
     * message writes should touch as few pages as can be. */
    "CREATE TABLE octets (key INTEGER PRIMARY KEY, octets BLOB NOT NULL);"

    "CREATE TABLE event (document_id INTEGER NOT NULL"
    " REFERENCES document (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " number INTEGER NOT NULL, at_ms INTEGER NOT NULL, kind TEXT NOT NULL, text TEXT,"
    " PRIMARY KEY (document_id, number)) WITHOUT ROWID;"

    "CREATE TABLE receipt (id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL, kind TEXT,"
    " outbound INTEGER NOT NULL, state TEXT, reason INTEGER NOT NULL, text TEXT, creator TEXT,"
    " octets BLOB, at_ms INTEGER NOT NULL);"
    "CREATE INDEX receipt_document ON receipt (document_id);"
    "CREATE INDEX receipt_state ON receipt (state);"

    "CREATE TABLE tracked (document_id INTEGER NOT NULL"
    " REFERENCES document (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " number INTEGER NOT NULL, label TEXT NOT NULL, value TEXT NOT NULL,"
    " PRIMARY KEY (document_id, number)) WITHOUT ROWID;"
    "CREATE INDEX tracked_label ON tracked (label, value, document_id);"
    "CREATE INDEX tracked_value ON tracked (value, document_id);"

    "CREATE TABLE seen (key TEXT PRIMARY KEY, document_id INTEGER NOT NULL,"
    " forget_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE INDEX seen_forget ON seen (forget_ms);"

    "CREATE TABLE job (id INTEGER PRIMARY KEY, kind INTEGER NOT NULL,"
    " document_id INTEGER NOT NULL, receipt_id INTEGER NOT NULL, own TEXT, peer TEXT,"
    " not_before_ms INTEGER NOT NULL, attempts INTEGER NOT NULL, step INTEGER NOT NULL,"
    " last_error TEXT);"
    "CREATE INDEX job_document ON job (document_id);"

    "CREATE TABLE execution (id INTEGER PRIMARY KEY, document_id INTEGER NOT NULL"
    " REFERENCES document (id) ON DELETE CASCADE DEFERRABLE INITIALLY DEFERRED,"
    " started_ms INTEGER NOT NULL, ended_ms INTEGER NOT NULL, redelivered INTEGER NOT NULL,"
    " process TEXT, outcome TEXT, text TEXT);"
    "CREATE INDEX execution_document ON execution (document_id);"
    "CREATE INDEX execution_running ON execution (ended_ms)"
    " WHERE ended_ms = 0 AND outcome IS NULL;"

    "CREATE TABLE deployment (kind TEXT NOT NULL, name TEXT NOT NULL,"
    " version INTEGER NOT NULL, since INTEGER NOT NULL, paused INTEGER NOT NULL,"
    " dropped INTEGER NOT NULL, at_ms INTEGER NOT NULL, text TEXT,"
    " PRIMARY KEY (kind, name, version));"
    "CREATE INDEX deployment_since ON deployment (since);"

    "CREATE TABLE audit (id INTEGER PRIMARY KEY, at_ms INTEGER NOT NULL, who TEXT, what TEXT);";

/* Who may use the admin API. */
static const char step_2[] =
    "CREATE TABLE user (name TEXT PRIMARY KEY, role TEXT NOT NULL, password TEXT NOT NULL,"
    " created_ms INTEGER NOT NULL, changed_ms INTEGER NOT NULL) WITHOUT ROWID;"
    "CREATE TABLE token (name TEXT PRIMARY KEY, role TEXT NOT NULL, hash TEXT NOT NULL UNIQUE,"
    " made_by TEXT, created_ms INTEGER NOT NULL, expires_ms INTEGER NOT NULL,"
    " used_ms INTEGER NOT NULL) WITHOUT ROWID;";

/* The search by more, with fewer indexes to keep: what is alike in its first column is found by
 * the second, too, one value of the first after the other (sqlite_find.c). `period` says when the
 * documents of a block of ids were made, in whole minutes: it is hardly ever written. */
static const char step_3[] =
    "DROP INDEX document_state; DROP INDEX document_outbound; DROP INDEX document_protocol;"
    "DROP INDEX document_partner; DROP INDEX document_listener;"
    "DROP INDEX document_sender; DROP INDEX document_receiver;"
    "DROP INDEX document_created; DROP INDEX tracked_value;"
    "CREATE INDEX document_kind ON document (state, outbound, protocol);"
    "CREATE INDEX document_partner ON document (partner, listener);"
    "CREATE INDEX document_pair ON document (sender, receiver);"
    "CREATE INDEX document_message ON document (" MESSAGE_OF ") WHERE protocol = 'as2';"
    "CREATE INDEX document_file_name ON document (" FILE_NAME_OF ")"
    " WHERE protocol = 'oftp2' AND outbound = 1;"
    "CREATE TABLE period (block INTEGER PRIMARY KEY, first_ms INTEGER NOT NULL,"
    " last_ms INTEGER NOT NULL);"
    "INSERT INTO period SELECT id >> 10, min(created_ms) / 60000 * 60000,"
    " max(created_ms) / 60000 * 60000 + 59999 FROM document GROUP BY id >> 10;";

/* What waits to be released. */
static const char step_4[] = "CREATE INDEX document_held ON document (id) WHERE " HELD ";";

const char *const schema_steps[] = { step_1, step_2, step_3, step_4 };
const int schema_version = (int)COUNT_OF(schema_steps);

#define RECEIPT_COLUMNS                                                                        \
    "id, document_id, kind, outbound, state, reason, text, creator, octets, at_ms"
#define JOB_COLUMNS                                                                            \
    "id, kind, document_id, receipt_id, own, peer, not_before_ms, attempts, step, last_error"
#define USER_COLUMNS  "name, role, password, created_ms, changed_ms"
#define TOKEN_COLUMNS "name, role, hash, made_by, created_ms, expires_ms, used_ms"
#define NEXT_NUMBER(table)                                                                     \
    " (SELECT coalesce(max(number), 0) + 1 FROM " table " WHERE document_id = ?1)"
#define NEWEST_DEPLOYMENTS                                                                     \
    "SELECT kind, name, version, since, paused, at_ms, text FROM deployment AS d"              \
    " WHERE dropped = 0 AND NOT EXISTS (SELECT 1 FROM deployment AS later"                     \
    " WHERE later.kind = d.kind AND later.name = d.name AND later.version > d.version)"
#define NEWEST_OF_ONE                                                                          \
    " WHERE kind = ?1 AND name = ?2 AND dropped = 0 AND version ="                             \
    " (SELECT max(version) FROM deployment WHERE kind = ?1 AND name = ?2)"

/* A page of ids, newest first: ?1 smaller than, ?2 not smaller than, ?3 how many. */
#define IDS(index, key)                                                                        \
    "SELECT id FROM document " index " WHERE " key " id < ?1 AND id >= ?2"                     \
    " ORDER BY id DESC LIMIT ?3"
/* Ids of one state: in the order of ids for each direction and protocol by itself. */
/* clang-format off */
#define OF_KIND(state, outbound, protocol, more) \
    "SELECT id FROM (SELECT id FROM document INDEXED BY document_kind WHERE state = " state \
    " AND outbound = " outbound " AND protocol IS " protocol " " more ")"
#define OF_STATE(state, more) \
    OF_KIND(state, "0", "'as2'", more) " UNION ALL " OF_KIND(state, "1", "'as2'", more) \
    " UNION ALL " OF_KIND(state, "0", "'oftp2'", more) " UNION ALL " OF_KIND(state, "1", "'oftp2'", more) \
    " UNION ALL " OF_KIND(state, "0", "NULL", more) " UNION ALL " OF_KIND(state, "1", "NULL", more)
/* clang-format on */

/* What may be purged: ?1 id, ?2 to ?5 as it was read, ?6 answered. */
#define PURGEABLE                                                                              \
    " WHERE id = ?1 AND state = ?2 AND changed_ms = ?3 AND raw_kind = ?4 AND opened_kind = ?5" \
    " AND NOT EXISTS (SELECT 1 FROM job WHERE document_id = ?1)"                               \
    " AND (?6 = 0 OR EXISTS (SELECT 1 FROM receipt WHERE document_id = ?1 AND outbound = 1))"

const char *const query_text[QUERIES] = {
    [Q_BEGIN] = "BEGIN IMMEDIATE",
    [Q_COMMIT] = "COMMIT",
    [Q_ROLLBACK] = "ROLLBACK",
    [Q_SAVEPOINT] = "SAVEPOINT batch",
    [Q_RELEASE] = "RELEASE batch",
    [Q_ROLLBACK_TO] = "ROLLBACK TO batch",

    /* Not INSERT OR REPLACE: that would delete the row, and its events with it. */
    [Q_PUT_DOCUMENT] =
        "INSERT INTO document (" DOCUMENT_COLUMNS ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8,"
        " ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23, ?24, ?25,"
        " ?26, ?27) ON CONFLICT (id) DO UPDATE SET outbound = ?2, state = ?3, protocol = ?4,"
        " listener = ?5, partner = ?6, sender = ?7, receiver = ?8, own = ?9, peer = ?10,"
        " name = ?11, identity_key = ?12, created_ms = ?13, changed_ms = ?14, size = ?15,"
        " raw_kind = ?16, raw_size = ?17, raw_path = ?18, opened_kind = ?19,"
        " opened_size = ?20, opened_path = ?21, progress = ?22, total = ?23, records = ?24,"
        " reason = ?25, redelivered = ?26, props = ?27",
    [Q_SET_STATE] = "UPDATE document SET state = ?3, changed_ms = ?4,"
                    " reason = coalesce(?5, reason) WHERE id = ?1 AND (?2 >> state) & 1",
    [Q_STATE_OF] = "SELECT state FROM document WHERE id = ?1",
    [Q_WAS] = "SELECT state, outbound, protocol IS 'as2' FROM document WHERE id = ?1",
    [Q_SET_RAW] =
        "UPDATE document SET raw_kind = ?2, raw_size = ?3, raw_path = ?4 WHERE id = ?1",
    [Q_SET_OPENED] = "UPDATE document SET opened_kind = ?2, opened_size = ?3, opened_path = ?4"
                     " WHERE id = ?1",
    [Q_SET_PROGRESS] = "UPDATE document SET progress = ?2, records = ?3 WHERE id = ?1",
    [Q_SET_PROP] = "UPDATE document SET"
                   " props = json_patch(coalesce(props, '{}'), json_object(?2, ?3))"
                   " WHERE id = ?1",
    [Q_SET_REDELIVERED] = "UPDATE document SET redelivered = 1 WHERE id = ?1",
    [Q_PUT_OCTETS] = "INSERT OR REPLACE INTO octets (key, octets) VALUES (?1, ?2)",
    [Q_DROP_OCTETS] = "DELETE FROM octets WHERE key = ?1",
    [Q_ADD_EVENT] =
        "INSERT INTO event (document_id, number, at_ms, kind, text) VALUES (?1," NEXT_NUMBER(
            "event") ", ?2, ?3, ?4)",
    [Q_PUT_RECEIPT] = "INSERT OR REPLACE INTO receipt (" RECEIPT_COLUMNS ")"
                      " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [Q_SET_RECEIPT] = "UPDATE receipt SET state = ?2 WHERE id = ?1",
    [Q_ADD_TRACKED] =
        "INSERT INTO tracked (document_id, number, label, value) VALUES (?1," NEXT_NUMBER(
            "tracked") ", ?2, ?3)",
    [Q_ADD_SEEN] = "INSERT INTO seen (key, document_id, forget_ms) VALUES (?1, ?2, ?3)"
                   " ON CONFLICT (key) DO UPDATE SET document_id = ?2, forget_ms = ?3"
                   " WHERE forget_ms <= ?4 OR document_id = ?2",
    [Q_SEEN_BY] = "SELECT document_id FROM seen WHERE key = ?1",
    /* char(1114111): no key goes on with a greater character */
    [Q_TRIM_SEEN] =
        "DELETE FROM seen WHERE key > ?1 AND key < ?1 || char(1114111)"
        " AND document_id <= (SELECT document_id FROM seen WHERE key > ?1"
        " AND key < ?1 || char(1114111) ORDER BY document_id DESC LIMIT 1 OFFSET ?2)",
    [Q_PURGE_SEEN] = "DELETE FROM seen WHERE key IN"
                     " (SELECT key FROM seen WHERE forget_ms <= ?1 LIMIT 200)",
    [Q_PUT_JOB] = "INSERT OR REPLACE INTO job (" JOB_COLUMNS ")"
                  " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)",
    [Q_END_JOB] = "DELETE FROM job WHERE id = ?1",
    [Q_PUT_EXECUTION] = "INSERT OR REPLACE INTO execution (id, document_id, started_ms,"
                        " ended_ms, redelivered, process, outcome, text)"
                        " VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [Q_PUT_DEPLOYMENT] =
        "INSERT INTO deployment (kind, name, version, since, paused, dropped, at_ms, text)"
        " VALUES (?1, ?2,"
        " (SELECT coalesce(max(version), 0) + 1 FROM deployment WHERE kind = ?1 AND name = ?2),"
        " coalesce(nullif(?3, 0), (SELECT coalesce(max(since), 0) + 1 FROM deployment)),"
        " ?4, 0, ?5, ?6)",
    [Q_DROP_DEPLOYMENT] = "UPDATE deployment SET dropped = 1" NEWEST_OF_ONE,
    [Q_SET_PAUSED] = "UPDATE deployment SET paused = ?3" NEWEST_OF_ONE,
    [Q_ADD_AUDIT] = "INSERT INTO audit (at_ms, who, what) VALUES (?1, ?2, ?3)",
    [Q_PURGE_PAYLOAD] =
        "UPDATE document SET raw_kind = 0, raw_size = 0, raw_path = NULL, opened_kind = 0,"
        " opened_size = 0, opened_path = NULL,"
        " props = json_patch(coalesce(props, '{}'), '{\"waybill.octets\":\"removed\"}')" PURGEABLE,
    [Q_PURGE_DOCUMENT] = "DELETE FROM document" PURGEABLE
                         " AND NOT EXISTS (SELECT 1 FROM seen WHERE key = identity_key"
                         " AND seen.document_id = ?1 AND forget_ms > ?7)",
    [Q_PURGE_RECEIPTS_OF] = "DELETE FROM receipt WHERE document_id = ?1",
    [Q_PURGE_OCTETS] = "DELETE FROM octets WHERE key >= ?1 AND key < ?2",
    [Q_PURGE_RECEIPTS] =
        "DELETE FROM receipt WHERE id IN (SELECT id FROM receipt INDEXED BY receipt_document"
        " WHERE document_id = 0 AND at_ms < ?1 ORDER BY id LIMIT ?2)",
    [Q_PURGE_AUDIT] = "DELETE FROM audit WHERE id IN"
                      " (SELECT id FROM audit WHERE at_ms < ?1 ORDER BY id LIMIT ?2)",
    [Q_SET_META] = "INSERT OR REPLACE INTO meta (name, value) VALUES (?1, ?2)",
    [Q_ADD_USER] = "INSERT INTO user (name, role, password, created_ms, changed_ms)"
                   " VALUES (?1, ?2, ?3, ?4, ?4) ON CONFLICT DO NOTHING",
    [Q_SET_USER] = "UPDATE user SET role = coalesce(?2, role),"
                   " password = coalesce(?3, password), changed_ms = ?4 WHERE name = ?1",
    [Q_DROP_USER] = "DELETE FROM user WHERE name = ?1",
    [Q_ADD_TOKEN] = "INSERT INTO token (name, role, hash, made_by, created_ms, expires_ms,"
                    " used_ms) VALUES (?1, ?2, ?3, ?4, ?5, ?6, 0) ON CONFLICT DO NOTHING",
    [Q_USE_TOKEN] = "UPDATE token SET used_ms = ?2 WHERE name = ?1",
    [Q_DROP_TOKEN] = "DELETE FROM token WHERE name = ?1",
    [Q_CUT_OFF] = "UPDATE execution SET outcome = 'failed',"
                  " text = 'cut off: the runtime ended before the process did'"
                  " WHERE ended_ms = 0 AND outcome IS NULL",

    [Q_USERS] = "SELECT " USER_COLUMNS " FROM user ORDER BY name",
    [Q_FIND_USER] = "SELECT " USER_COLUMNS " FROM user WHERE name = ?1",
    [Q_TOKENS] = "SELECT " TOKEN_COLUMNS " FROM token ORDER BY name",
    [Q_FIND_TOKEN] = "SELECT " TOKEN_COLUMNS " FROM token WHERE hash = ?1",
    [Q_AUDIT] = "SELECT id, at_ms, who, what FROM audit WHERE id < ?1"
                " AND substr(coalesce(who, ''), 1, length(?2)) = ?2"
                " AND at_ms >= ?3 AND at_ms <= ?4 ORDER BY id DESC LIMIT ?5",
    [Q_GET_META] = "SELECT value FROM meta WHERE name = ?1",
    [Q_MAX_ID] = "SELECT max((SELECT coalesce(max(id), 0) FROM document),"
                 " (SELECT coalesce(max(id), 0) FROM receipt),"
                 " (SELECT coalesce(max(id), 0) FROM job),"
                 " (SELECT coalesce(max(id), 0) FROM execution))",
    [Q_GET_DOCUMENT] = "SELECT " DOCUMENT_COLUMNS " FROM document WHERE id = ?1",
    [Q_BY_KEY] = "SELECT " DOCUMENT_COLUMNS " FROM document INDEXED BY document_identity"
                 " WHERE identity_key = ?1 AND outbound = ?2 ORDER BY id DESC LIMIT ?3",
    [Q_UNANSWERED] = "SELECT " DOCUMENT_COLUMNS " FROM document INDEXED BY document_unanswered"
                     " WHERE state = 11 AND changed_ms < ?1 AND outbound = 1"
                     " ORDER BY changed_ms LIMIT 1000",
    [Q_EVENTS] = "SELECT at_ms, kind, text FROM event WHERE document_id = ?1 ORDER BY number",
    [Q_RECEIPTS_OF] =
        "SELECT " RECEIPT_COLUMNS " FROM receipt WHERE document_id = ?1 ORDER BY id DESC",
    [Q_RECEIPTS_OF_IN] = "SELECT " RECEIPT_COLUMNS " FROM receipt INDEXED BY receipt_document"
                         " WHERE document_id = ?1 AND state = ?2 ORDER BY id DESC",
    [Q_RECEIPTS_IN] = "SELECT " RECEIPT_COLUMNS " FROM receipt INDEXED BY receipt_state"
                      " WHERE state = ?3 AND id < ?1 ORDER BY id DESC LIMIT ?2",
    [Q_RECEIPTS] = "SELECT " RECEIPT_COLUMNS " FROM receipt WHERE id < ?1"
                   " ORDER BY id DESC LIMIT ?2",
    [Q_TRACKED] = "SELECT label, value FROM tracked WHERE document_id = ?1 ORDER BY number",
    [Q_EXECUTIONS] = "SELECT id, document_id, started_ms, ended_ms, redelivered, process,"
                     " outcome, text FROM execution WHERE document_id = ?1 ORDER BY id",
    [Q_DEPLOYMENTS] = NEWEST_DEPLOYMENTS " ORDER BY kind, since, name",
    [Q_DEPLOYMENTS_OF] = NEWEST_DEPLOYMENTS " AND kind = ?1 ORDER BY since, name",
    [Q_VERSIONS] = "SELECT kind, name, version, since, paused, at_ms, text FROM deployment"
                   " WHERE kind = ?1 AND name = ?2 ORDER BY version DESC LIMIT 1000",
    [Q_FIND_SEEN] = "SELECT document_id FROM seen WHERE key = ?1 AND forget_ms > ?2",
    [Q_GET_OCTETS] = "SELECT octets FROM octets WHERE key = ?1",
    [Q_HAS_OCTETS] = "SELECT length(octets) FROM octets WHERE key = ?1",
    [Q_COUNT_STATES] = "SELECT state, count(*) FROM document INDEXED BY document_kind"
                       " GROUP BY state",
    [Q_COUNT_KEPT] = "SELECT state, count(*) FROM document INDEXED BY document_kind"
                     " WHERE state IN (1, 2, 3, 4, 7, 8, 9, 10, 11, 14) GROUP BY state",
    [Q_COUNT_HELD] =
        "SELECT count(*) FROM document INDEXED BY document_held WHERE " HELD " AND id > 0",
    [Q_CREATED_SINCE] = "SELECT outbound, state, created_ms, changed_ms FROM document"
                        " WHERE id >= (SELECT coalesce(min(block), 0) << 10 FROM period"
                        " WHERE last_ms >= ?1) AND created_ms >= ?1 AND created_ms < ?2"
                        " ORDER BY id DESC LIMIT ?3",
    [Q_NEWEST_IN_STATE] =
        "SELECT outbound, changed_ms, id FROM document WHERE id IN (" OF_STATE(
            "?1", "ORDER BY id DESC LIMIT ?2") ") ORDER BY id DESC LIMIT ?2",
    [Q_GET_JOB] = "SELECT " JOB_COLUMNS " FROM job WHERE id = ?1",
    [Q_JOBS] = "SELECT " JOB_COLUMNS " FROM job ORDER BY id",
    [Q_JOBS_OF] = "SELECT " JOB_COLUMNS " FROM job WHERE document_id = ?1 ORDER BY id",
    [Q_OPEN_JOBS] = "SELECT job.id, kind, job.own, job.peer, not_before_ms,"
                    " created_ms, max(created_ms, changed_ms), step"
                    " FROM job LEFT JOIN document ON document.id = document_id"
                    " ORDER BY job.id",
    [Q_FILES_BETWEEN] = "SELECT id, raw_kind, opened_kind FROM document"
                        " INDEXED BY document_file WHERE (raw_kind = 2 OR opened_kind = 2)"
                        " AND id >= ?1 AND id < ?2",
    [Q_RAW_KIND] = "SELECT raw_kind FROM document WHERE id = ?1",
    [Q_NEXT_IN_STATE] = "SELECT " DOCUMENT_COLUMNS " FROM document WHERE id IN (" OF_STATE(
        "?3", "AND id > ?1 ORDER BY id LIMIT ?2") ") ORDER BY id LIMIT ?2",
    /* A document has up to three rows of octets. */
    [Q_NEXT_WITH_OCTETS] =
        "SELECT " DOCUMENT_COLUMNS " FROM document WHERE id IN (SELECT id FROM"
        " (SELECT id FROM document INDEXED BY document_file"
        " WHERE (raw_kind = 2 OR opened_kind = 2) AND id > ?1 ORDER BY id LIMIT ?2)"
        " UNION SELECT id FROM (SELECT key / 4 AS id FROM octets WHERE key >= ?1 * 4 + 4"
        " ORDER BY key LIMIT ?2 * 3)) ORDER BY id LIMIT ?2",

    [Q_BEGIN_READ] = "BEGIN",
    [Q_IDS] = IDS("NOT INDEXED", ""),
    [Q_IDS_KIND] =
        IDS("INDEXED BY document_kind", "state = ?4 AND outbound = ?5 AND protocol IS ?6 AND"),
    [Q_IDS_PARTNER] =
        IDS("INDEXED BY document_partner", "partner IS ?4 AND listener IS ?5 AND"),
    [Q_IDS_PAIR] = IDS("INDEXED BY document_pair", "sender IS ?4 AND receiver IS ?5 AND"),
    [Q_IDS_NAME] = IDS("INDEXED BY document_name", "name = ?4 AND"),
    [Q_IDS_FILE_NAME] =
        IDS("INDEXED BY document_file_name",
            "protocol = 'oftp2' AND outbound = 1 AND " FILE_NAME_OF " = ?4 AND"),
    [Q_IDS_MESSAGE] =
        IDS("INDEXED BY document_message", "protocol = 'as2' AND " MESSAGE_OF " = ?4 AND"),
    [Q_IDS_HELD] = IDS("INDEXED BY document_held", HELD " AND"),
    [Q_IDS_IDENTITY] = IDS("INDEXED BY document_identity", "identity_key = ?4 AND"),
    [Q_IDS_TRACKED] = "SELECT document_id FROM tracked INDEXED BY tracked_label WHERE"
                      " label = ?4 AND value = ?5 AND document_id < ?1 AND document_id >= ?2"
                      " ORDER BY document_id DESC LIMIT ?3",
    [Q_NEXT_PROTOCOL] =
        "SELECT protocol FROM document INDEXED BY document_kind WHERE state = ?2"
        " AND outbound = ?3 AND protocol > ?1 ORDER BY protocol LIMIT 1",
    [Q_NEXT_PARTNER] = "SELECT partner FROM document INDEXED BY document_partner"
                       " WHERE partner > ?1 ORDER BY partner LIMIT 1",
    [Q_NEXT_LISTENER] = "SELECT listener FROM document INDEXED BY document_partner"
                        " WHERE partner IS ?2 AND listener > ?1 ORDER BY listener LIMIT 1",
    [Q_NEXT_SENDER] = "SELECT sender FROM document INDEXED BY document_pair"
                      " WHERE sender > ?1 ORDER BY sender LIMIT 1",
    [Q_NEXT_RECEIVER] = "SELECT receiver FROM document INDEXED BY document_pair"
                        " WHERE sender IS ?2 AND receiver > ?1 ORDER BY receiver LIMIT 1",
    [Q_NEXT_LABEL] = "SELECT label FROM tracked INDEXED BY tracked_label"
                     " WHERE label > ?1 ORDER BY label LIMIT 1",
    [Q_RANGE_NAME] = "SELECT id FROM document INDEXED BY document_name"
                     " WHERE name >= ?1 AND name < ?2",
    [Q_RANGE_FILE_NAME] =
        "SELECT id FROM document INDEXED BY document_file_name WHERE protocol = 'oftp2'"
        " AND outbound = 1 AND " FILE_NAME_OF " >= ?1 AND " FILE_NAME_OF " < ?2",
    [Q_RANGE_TRACKED] = "SELECT document_id FROM tracked INDEXED BY tracked_label"
                        " WHERE label = ?3 AND value >= ?1 AND value < ?2",
    [Q_PERIODS] = "SELECT block FROM period WHERE last_ms >= ?1 AND first_ms <= ?2"
                  " ORDER BY block DESC",
    [Q_PUT_PERIOD] =
        "INSERT INTO period (block, first_ms, last_ms) VALUES (?1, ?2, ?3) ON CONFLICT (block)"
        " DO UPDATE SET first_ms = min(first_ms, ?2), last_ms = max(last_ms, ?3)"
        " WHERE ?2 < first_ms OR ?3 > last_ms",
    [Q_TRIM_PERIODS] = "DELETE FROM period WHERE block < (SELECT min(id) FROM document) >> 10",
};
