/* /metrics: the text format of Prometheus. Nothing is read from the store's tables, and the labels
 * are of fixed lists, but for the names of certificate components. */
#include "gateway/acceptor.h"
#include "gateway/certificates.h"
#include "gateway/overview.h"
#include "gateway/session_int.h"
#include "net/log_count.h"

#include <dirent.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

struct out {
    FILE *f;
    const char *name; /* of the family under way */
};

static void family(struct out *o, const char *name, const char *type, const char *help)
{
    o->name = name;
    (void)fprintf(o->f, "# HELP %s %s\n# TYPE %s %s\n", name, help, name, type);
}

/* A label's value: '\\', '"' and line ends escaped. */
static void put_escaped(FILE *f, const char *text)
{
    for (; *text != '\0'; text++)
        if (*text == '\n')
            (void)fputs("\\n", f);
        else if (*text == '\\' || *text == '"')
            (void)fprintf(f, "\\%c", *text);
        else
            (void)fputc(*text, f);
}

/* One sample; then pairs of label and value, ended by NULL. suffix: "_bucket", or "". */
__attribute__((sentinel)) static void sample(struct out *o, const char *suffix, double v, ...)
{
    const char *label;
    bool any = false;
    va_list ap;

    (void)fprintf(o->f, "%s%s", o->name, suffix);
    va_start(ap, v);
    while ((label = va_arg(ap, const char *)) != NULL) {
        (void)fprintf(o->f, "%c%s=\"", any ? ',' : '{', label);
        put_escaped(o->f, va_arg(ap, const char *));
        (void)fputc('"', o->f);
        any = true;
    }
    va_end(ap);
    (void)fprintf(o->f, any ? "} %.15g\n" : " %.15g\n", v);
}

static void single(struct out *o, const char *name, const char *type, const char *help,
                   double v)
{
    family(o, name, type, help);
    sample(o, "", v, NULL);
}

/* ---- documents and traffic ----------------------------------------------------------------- */

static void put_counters(struct out *o, struct gateway *g)
{
    const struct {
        const char *name, *help;
        unsigned long long v;
    } rows[] = {
        { "waybill_documents_received_total", "Documents taken into custody",
          atomic_load(&g->n.documents_in) },
        { "waybill_documents_sent_total", "Documents partners took into custody",
          atomic_load(&g->n.documents_out) },
        { "waybill_documents_refused_total", "Documents refused to partners",
          atomic_load(&g->n.refused) },
        { "waybill_documents_failed_total", "Documents that failed here",
          atomic_load(&g->n.failed) },
        { "waybill_octets_received_total", "Octets read from partners",
          atomic_load(&g->n.octets_in) },
        { "waybill_octets_sent_total", "Octets written to partners",
          atomic_load(&g->n.octets_out) },
        { "waybill_sessions_in_total", "Sessions partners started",
          atomic_load(&g->n.sessions_in) },
        { "waybill_sessions_out_total", "Sessions we started",
          atomic_load(&g->n.sessions_out) },
        { "waybill_sessions_failed_total", "Sessions that ended in error",
          atomic_load(&g->n.sessions_failed) },
        { "waybill_logons_refused_total", "Log-ons refused",
          atomic_load(&g->n.logons_refused) },
        { "waybill_receipts_received_total", "EERP and NERP received",
          atomic_load(&g->n.receipts_in) },
        { "waybill_receipts_sent_total", "EERP and NERP sent",
          atomic_load(&g->n.receipts_out) },
        { "waybill_mdns_received_total", "MDNs received", atomic_load(&g->n.mdns_in) },
        { "waybill_mdns_sent_total", "MDNs sent", atomic_load(&g->n.mdns_out) },
        { "waybill_mdns_undelivered_total", "Asynchronous MDNs that were given up",
          atomic_load(&g->n.mdns_undelivered) },
        { "waybill_as2_posts_total", "AS2 messages posted and answered, whatever the answer",
          atomic_load(&g->n.posts) },
        { "waybill_as2_posts_failed_total", "Posts of AS2 messages without an answer",
          atomic_load(&g->n.posts_failed) },
        { "waybill_outbox_files_total", "Files taken from watched folders",
          atomic_load(&g->n.outbox_taken) },
        { "waybill_outbox_failed_total", "Files of watched folders that could not be sent",
          atomic_load(&g->n.outbox_failed) },
        { "waybill_purged_octets_total", "Octets of payloads removed by retention",
          atomic_load(&g->n.purged_octets) },
    };

    for (size_t i = 0; i < COUNT_OF(rows); i++)
        single(o, rows[i].name, "counter", rows[i].help, (double)rows[i].v);
    family(o, "waybill_purged_total", "counter", "Removed by retention");
    sample(o, "", (double)atomic_load(&g->n.purged_documents), "what", "documents", NULL);
    sample(o, "", (double)atomic_load(&g->n.purged_payloads), "what", "payloads", NULL);
    sample(o, "", (double)atomic_load(&g->n.purged_receipts), "what", "receipts", NULL);
    sample(o, "", (double)atomic_load(&g->n.purged_audit), "what", "audit", NULL);
}

static void put_octets(struct out *o, struct gateway *g)
{
    unsigned long long as2_in = atomic_load(&g->n.as2_octets_in),
                       as2_out = atomic_load(&g->n.as2_octets_out),
                       in = atomic_load(&g->n.octets_in), out = atomic_load(&g->n.octets_out);

    family(o, "waybill_octets_total", "counter",
           "Octets from and to partners: of OFTP2 all, of AS2 those of messages");
    sample(o, "", (double)(in - as2_in), "protocol", "oftp2", "direction", "in", NULL);
    sample(o, "", (double)(out - as2_out), "protocol", "oftp2", "direction", "out", NULL);
    sample(o, "", (double)as2_in, "protocol", "as2", "direction", "in", NULL);
    sample(o, "", (double)as2_out, "protocol", "as2", "direction", "out", NULL);
}

static void put_documents(struct out *o, const struct gateway_overview *v)
{
    const struct store_counts *c = &v->counts;

    family(o, "waybill_documents_total", "counter", "Documents that came to an outcome");
    for (size_t p = 0; p < STORE_PROTOCOLS; p++)
        for (int i = 0; i < STORE_OUTCOMES; i++) {
            enum store_outcome k = (enum store_outcome)i;

            sample(o, "", (double)c->documents[p][k], "protocol", store_protocols[p],
                   "direction", store_outcome_outbound(k) ? "out" : "in", "outcome",
                   store_outcome_name(k), NULL);
        }
    family(o, "waybill_documents", "gauge", "Documents in a state now, but for settled ones");
    for (int st = DOC_RECEIVING; st <= DOC_OVERDUE; st++)
        if (st != DOC_PROCESSED && st != DOC_ACKNOWLEDGED && st != DOC_REFUSED &&
            st != DOC_REJECTED)
            sample(o, "", (double)c->in_state[st], "state",
                   document_state_name((enum document_state)st), NULL);
    single(o, "waybill_receipts_overdue", "gauge",
           "Documents whose receipt has not come in time", (double)c->in_state[DOC_OVERDUE]);
    single(o, "waybill_documents_held", "gauge",
           "Documents that wait for an operator to release their receipt", (double)v->held);
}

static void put_failures(struct out *o)
{
    struct log_count *list = calloc(LOG_COUNTS_MAX, sizeof(*list));
    size_t n = list == NULL ? 0 : log_counts(list, LOG_COUNTS_MAX);

    family(o, "waybill_failures_total", "counter",
           "Warnings and errors by event of the log and code of the protocol");
    for (size_t i = 0; i < n; i++)
        sample(o, "", (double)list[i].n, "level", list[i].level == LOG_ERROR ? "error" : "warn",
               "event", list[i].event, "code", list[i].code, NULL);
    free(list);
}

/* ---- what is open and what waits ----------------------------------------------------------- */

static void put_open(struct out *o, struct gateway *g, const struct gateway_overview *v)
{
    single(o, "waybill_sessions", "gauge", "Sessions open now", v->sessions);
    if (g->as2 != NULL)
        single(o, "waybill_as2_connections", "gauge", "Connections to the AS2 server open now",
               v->as2_connections);
    family(o, "waybill_listeners", "gauge", "Listeners by state");
    sample(o, "", v->listening, "state", "listening", NULL);
    sample(o, "", v->paused, "state", "paused", NULL);
    sample(o, "", v->errored, "state", "errored", NULL);
}

static void put_jobs(struct out *o, const struct gateway_overview *v)
{
    family(o, "waybill_jobs", "gauge", "Jobs that wait or are run, by kind");
    for (int k = JOB_OPEN; k <= JOB_MDN; k++)
        sample(o, "", (double)v->counts.jobs[k].open, "kind",
               store_job_kind_name((enum job_kind)k), NULL);
    family(o, "waybill_job_oldest_seconds", "gauge",
           "Age of the job that is open longest, 0 without one");
    for (int k = JOB_OPEN; k <= JOB_MDN; k++) {
        int64_t since = v->counts.jobs[k].oldest_ms;

        sample(o, "", since == 0 ? 0 : (double)(v->now_ms - since) / 1000, "kind",
               store_job_kind_name((enum job_kind)k), NULL);
    }
}

/* counts: one more than bounds, not yet added up. */
static void histogram(struct out *o, const char *name, const char *help, const uint32_t *bounds,
                      const uint64_t *counts, size_t n, double unit, double sum)
{
    uint64_t all = 0;
    char bound[32];

    family(o, name, "histogram", help);
    for (size_t i = 0; i < n; i++) {
        all += counts[i];
        (void)snprintf(bound, sizeof(bound), "%.15g", bounds[i] / unit);
        sample(o, "_bucket", (double)all, "le", bound, NULL);
    }
    all += counts[n];
    sample(o, "_bucket", (double)all, "le", "+Inf", NULL);
    sample(o, "_sum", sum, NULL);
    sample(o, "_count", (double)all, NULL);
}

static void put_store(struct out *o, struct gateway *g, const struct gateway_overview *v)
{
    const struct store_counts *c = &v->counts;

    histogram(o, "waybill_store_commit_seconds", "How long a caller waited for its commit",
              store_latency_bounds_us, c->latency, STORE_LATENCY_BOUNDS, 1e6,
              (double)c->latency_us / 1e6);
    histogram(o, "waybill_store_commit_batches", "How many callers shared one transaction",
              store_group_bounds, c->groups, STORE_GROUP_BOUNDS, 1, (double)c->batches);
    single(o, "waybill_store_commits_failed_total", "counter",
           "Commits that stored nothing: conflicts, a full disk", (double)c->batches_failed);
    single(o, "waybill_store_broken", "gauge",
           "1 once the disk has failed to sync: nothing more is stored",
           store_failed(g->store) ? 1 : 0);
    single(o, "waybill_data_directory_free_bytes", "gauge", "Free below runtime.data_directory",
           (double)v->disk_free);
    single(o, "waybill_data_directory_size_bytes", "gauge",
           "Size of the file system of runtime.data_directory", (double)v->disk_total);
}

static void put_certificates(struct out *o, struct gateway *g)
{
    struct snapshot *sn = gateway_snapshot(g);
    int64_t now = net_wall_ms() / 1000;

    family(o, "waybill_certificate_days_left", "gauge",
           "Days until the last usable one of a component ends");
    for (size_t i = 0; i < sn->certificates_n; i++) {
        int days = certificate_days_left(&sn->certificates[i], now);

        if (days != INT_MIN)
            sample(o, "", days, "certificate", sn->certificates[i].name, NULL);
    }
    family(o, "waybill_crl_seconds_left", "gauge",
           "Seconds until a revocation list is overdue, negative afterwards");
    for (size_t i = 0; i < sn->certificates_n; i++)
        if (sn->certificates[i].crl_next_s != 0 && sn->certificates[i].crl_next_s != INT64_MAX)
            sample(o, "", (double)(sn->certificates[i].crl_next_s - now), "certificate",
                   sn->certificates[i].name, NULL);
    snapshot_put(sn);
}

/* ---- the process ---------------------------------------------------------------------------- */

static double resident(void)
{
    FILE *f = fopen("/proc/self/statm", "re");
    unsigned long all = 0, pages = 0;

    if (f == NULL)
        return 0;
    if (fscanf(f, "%lu %lu", &all, &pages) != 2)
        pages = 0;
    (void)fclose(f);
    return (double)pages * (double)sysconf(_SC_PAGESIZE);
}

static double descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    unsigned n = 0;

    if (d == NULL)
        return 0;
    while (readdir(d) != NULL)
        n++;
    (void)closedir(d);
    return n < 3 ? 0 : n - 3; /* without ".", ".." and the folder's own */
}

static void put_process(struct out *o, const struct gateway_overview *v)
{
    struct rusage u = { 0 };
    struct rlimit files = { 0 };

    (void)getrusage(RUSAGE_SELF, &u);
    (void)getrlimit(RLIMIT_NOFILE, &files);
    family(o, "waybill_build_info", "gauge", "1, with the version of the program");
    sample(o, "", 1, "version", WAYBILL_VERSION, NULL);
    single(o, "process_start_time_seconds", "gauge", "Start, in seconds since 1970",
           (double)v->started_ms / 1000);
    single(o, "process_cpu_seconds_total", "counter", "CPU time used",
           (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
               (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec) / 1e6);
    single(o, "process_resident_memory_bytes", "gauge", "Resident memory", resident());
    single(o, "process_open_fds", "gauge", "Open file descriptors", descriptors());
    single(o, "process_max_fds", "gauge", "Limit of open file descriptors",
           files.rlim_cur == RLIM_INFINITY ? -1 : (double)files.rlim_cur);
}

bool gateway_metrics(struct gateway *g, struct arena *a, const char **text, struct err *err)
{
    struct gateway_overview v;
    char *buffer = NULL;
    struct out o = { 0 };
    size_t n = 0;
    bool ok = false;

    if (!gateway_get_overview(g, a, &v, err))
        return false;
    o.f = open_memstream(&buffer, &n);
    if (o.f != NULL) {
        put_counters(&o, g);
        put_octets(&o, g);
        put_documents(&o, &v);
        put_failures(&o);
        put_open(&o, g, &v);
        put_jobs(&o, &v);
        put_store(&o, g, &v);
        put_certificates(&o, g);
        put_process(&o, &v);
        ok = ferror(o.f) == 0;
        ok = fclose(o.f) == 0 && ok;
    }
    if (ok)
        *text = arena_text(a, buffer);
    ok = ok && *text != NULL;
    free(buffer);
    return ok || FAIL(err, FAIL_LOCAL, 0, "out of memory");
}
