/* How long things are kept: of the runtime, and of one process. */
#include "config/schema_int.h"

#define SECOND_MS UINT64_C(1000)
#define DAY_MS    (24 * 3600 * SECOND_MS)
#define LONGEST   (36500 * DAY_MS)

#define AT(member)      offsetof(struct config_runtime, member)
#define PROCESS(member) offsetof(struct config_component, u.process.member)
#define ROWS(table)     .rows = (table), .rows_n = COUNT_OF(table)

/* clang-format off */
#define KEPT(at_documents, at_payloads, never, what)                                                         \
    { "documents", ROW_DURATION, at_documents, .def = "0", .def_shown = never, .min = 1, .max = LONGEST, .flags = ROW_ZERO, \
      .help = "How long " what " is kept, with its events, receipts, executions and tracked fields." },      \
    { "payloads", ROW_DURATION, at_payloads, .def = "0", .def_shown = never, .min = 1, .max = LONGEST, .flags = ROW_ZERO,   \
      .help = "How long the octets of " what " are kept, raw and opened; the document itself stays." },

#define FOR_EVER "0: for ever"
#define RUNTIMES "0: as the runtime's"
#define SETTLED  "a document that is `processed` or `acknowledged`"
#define FAILED   "a document that is `refused` or `rejected`, or `failed` and given up by an operator (`waybill cancel`)"

static const struct row settled_rows[] = { KEPT(AT(retention.settled.documents_ms), AT(retention.settled.payloads_ms), FOR_EVER, SETTLED) };
static const struct row failed_rows[] = { KEPT(AT(retention.failed.documents_ms), AT(retention.failed.payloads_ms), FOR_EVER, FAILED) };
static const struct row process_settled_rows[] = { KEPT(PROCESS(retention.settled.documents_ms), PROCESS(retention.settled.payloads_ms), RUNTIMES, SETTLED) };
static const struct row process_failed_rows[] = { KEPT(PROCESS(retention.failed.documents_ms), PROCESS(retention.failed.payloads_ms), RUNTIMES, FAILED) };

static const struct mapping settled_mapping = {
    .name = "retention.settled", ROWS(settled_rows), .help = "Documents that came to a good end.",
};
static const struct mapping failed_mapping = {
    .name = "retention.failed", ROWS(failed_rows), .help = "Documents that came to a bad end.",
};
static const struct mapping process_settled_mapping = {
    .name = "process.retention.settled", ROWS(process_settled_rows), .help = "Documents that came to a good end.",
};
static const struct mapping process_failed_mapping = {
    .name = "process.retention.failed", ROWS(process_failed_rows), .help = "Documents that came to a bad end.",
};

static const struct row retention_rows[] = {
    { "settled", ROW_MAP, .sub = &settled_mapping, .help = "Documents that came to a good end." },
    { "failed", ROW_MAP, .sub = &failed_mapping, .help = "Documents that came to a bad end." },
    { "receipts", ROW_DURATION, AT(retention.receipts_ms), .def = "0", .def_shown = FOR_EVER, .min = 1, .max = LONGEST, .flags = ROW_ZERO,
      .help = "How long receipts that match no document are kept. Others go with their document." },
    { "audit", ROW_DURATION, AT(retention.audit_ms), .def = "0", .def_shown = FOR_EVER, .min = 1, .max = LONGEST, .flags = ROW_ZERO,
      .help = "How long lines of the audit log are kept." },
    { "every", ROW_DURATION, AT(retention.every_ms), .def = "10m", .min = 50, .max = DAY_MS,
      .help = "How often to look for what has to go." },
};

const struct mapping mapping_retention = {
    .name = "retention", ROWS(retention_rows),
    .help = "How long what is done is kept, counted from the last change of its state. Nothing is removed that is still on its way, that waits for a receipt, a retry or an operator, or by which a duplicate would be recognised.",
    .example =
        "retention:\n"
        "  settled: {payloads: 90d, documents: 3650d}\n"
        "  failed: {payloads: 365d, documents: 3650d}\n",
};

static const struct row process_retention_rows[] = {
    { "settled", ROW_MAP, .sub = &process_settled_mapping, .help = "Documents that came to a good end." },
    { "failed", ROW_MAP, .sub = &process_failed_mapping, .help = "Documents that came to a bad end." },
};

const struct mapping mapping_process_retention = {
    .name = "process.retention", ROWS(process_retention_rows),
    .help = "How long documents of this process, and those it sent, are kept. What is not given is as in `retention` of waybill.yaml.",
};
/* clang-format on */
