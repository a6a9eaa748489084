/* What the overview page shows, in one answer. */
#include "gateway/overview.h"
#include "api/api_int.h"

static struct json_out outcomes(const uint64_t n[STORE_OUTCOMES], bool outbound, bool bad_only)
{
    struct json_out o = json_out_object();

    for (int i = 0; i < STORE_OUTCOMES; i++) {
        enum store_outcome k = (enum store_outcome)i;

        if (store_outcome_outbound(k) == outbound && (!bad_only || store_outcome_bad(k)))
            json_put_count(&o, store_outcome_name(k), n[i]);
    }
    return o;
}

static struct json_out minutes(const struct gateway_overview *v)
{
    struct json_out list = json_out_list();

    for (size_t i = 0; i < OVERVIEW_MINUTES; i++) {
        const struct store_minute *m = &v->minutes[i];
        struct json_out o = json_out_object();
        uint64_t n[STORE_OUTCOMES];

        for (size_t k = 0; k < STORE_OUTCOMES; k++)
            n[k] = m->n[k];
        json_put_time(&o, "at", m->minute * 60000);
        json_put(&o, "in", outcomes(n, false, false));
        json_put(&o, "out", outcomes(n, true, false));
        json_put_count(&o, "commits", m->commits);
        json_put_count(&o, "commit_us", m->commits == 0 ? 0 : m->latency_us / m->commits);
        json_add(&list, o);
    }
    return list;
}

static struct json_out failures(const uint64_t n[STORE_OUTCOMES])
{
    struct json_out o = json_out_object();

    json_put(&o, "in", outcomes(n, false, true));
    json_put(&o, "out", outcomes(n, true, true));
    return o;
}

static struct json_out in_work(const struct store_counts *c)
{
    struct json_out o = json_out_object();
    static const enum document_state states[] = { DOC_RECEIVING,  DOC_RECEIVED, DOC_OPENED,
                                                  DOC_PROCESSING, DOC_QUEUED,   DOC_SEALED,
                                                  DOC_SENDING,    DOC_SENT,     DOC_FAILED,
                                                  DOC_OVERDUE };

    for (size_t i = 0; i < COUNT_OF(states); i++)
        json_put_int(&o, document_state_name(states[i]), c->in_state[states[i]]);
    return o;
}

static struct json_out expiring(const struct gateway_overview *v)
{
    struct json_out list = json_out_list();

    for (size_t i = 0; i < v->expiring_n; i++) {
        struct json_out o = json_out_object();

        json_put_text(&o, "name", v->expiring[i].name);
        json_put_int(&o, "days_left", v->expiring[i].days);
        json_add(&list, o);
    }
    return list;
}

static struct json_out jobs(const struct store_counts *c)
{
    struct json_out o = json_out_object(), list = json_out_list();
    int64_t oldest = 0;
    uint64_t open = 0;

    for (int i = 1; i < STORE_JOB_KINDS; i++) {
        struct json_out one;

        if (c->jobs[i].open == 0)
            continue;
        open += c->jobs[i].open;
        if (oldest == 0 || c->jobs[i].oldest_ms < oldest)
            oldest = c->jobs[i].oldest_ms;
        one = json_out_object();
        json_put_text(&one, "kind", store_job_kind_name((enum job_kind)i));
        json_put_count(&one, "open", c->jobs[i].open);
        json_put_time(&one, "oldest", c->jobs[i].oldest_ms);
        json_add(&list, one);
    }
    json_put_count(&o, "open", open);
    json_put_time(&o, "oldest", oldest);
    json_put(&o, "kinds", list);
    return o;
}

static struct json_out listeners(const struct gateway_overview *v)
{
    struct json_out o = json_out_object();

    json_put_int(&o, "listening", v->listening);
    json_put_int(&o, "paused", v->paused);
    json_put_int(&o, "errored", v->errored);
    return o;
}

static struct json_out storage(const struct gateway_overview *v)
{
    struct json_out o = json_out_object();

    json_put_count(&o, "commits", v->counts.commits);
    json_put_count(&o, "batches", v->counts.batches);
    json_put_count(&o, "failed", v->counts.batches_failed);
    json_put_count(&o, "disk_free", v->disk_free);
    json_put_count(&o, "disk_total", v->disk_total);
    return o;
}

void api_overview(struct api_call *c)
{
    struct gateway_overview v;
    struct json_out o;
    struct err err;

    if (!gateway_get_overview(c->gateway, &c->r->arena, &v, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    json_put_text(&o, "name", gateway_config(c->gateway)->runtime.name);
    json_put_text(&o, "version", WAYBILL_VERSION);
    json_put_bool(&o, "ready", v.ready);
    json_put_time(&o, "now", v.now_ms);
    json_put_time(&o, "started", v.started_ms);
    json_put(&o, "listeners", listeners(&v));
    json_put_int(&o, "sessions", v.sessions);
    json_put_int(&o, "as2_connections", v.as2_connections);
    json_put_count(&o, "octets_in", v.octets_in);
    json_put_count(&o, "octets_out", v.octets_out);
    json_put(&o, "minutes", minutes(&v));
    json_put(&o, "failures_hour", failures(v.hour));
    json_put(&o, "failures_day", failures(v.day));
    json_put(&o, "documents", in_work(&v.counts));
    json_put_int(&o, "receipts_overdue", v.counts.in_state[DOC_OVERDUE]);
    json_put_count(&o, "documents_held", v.held);
    json_put(&o, "certificates_expiring", expiring(&v));
    json_put(&o, "jobs", jobs(&v.counts));
    json_put(&o, "store", storage(&v));
    api_json(c, 200, o);
}
