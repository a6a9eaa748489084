/* AS2 requests under way, for who asks what runs. */
#include "gateway/gateway_int.h"

void transfer_begin(struct gateway *g, struct transfer *t, const char *partner,
                    const char *peer, const char *address)
{
    (void)text_copy(t->partner, sizeof(t->partner), partner);
    (void)text_copy(t->peer, sizeof(t->peer), peer);
    (void)text_copy(t->address, sizeof(t->address), address);
    t->since_ms = net_wall_ms();
    pthread_mutex_lock(&g->lock);
    t->id = ++g->next_session;
    t->next = g->transfers;
    g->transfers = t;
    pthread_mutex_unlock(&g->lock);
}

void transfer_end(struct gateway *g, struct transfer *t)
{
    struct transfer **at = &g->transfers;

    pthread_mutex_lock(&g->lock);
    while (*at != NULL && *at != t)
        at = &(*at)->next;
    if (*at != NULL)
        *at = t->next;
    pthread_mutex_unlock(&g->lock);
}

void transfers_list(struct gateway *g, struct arena *a, struct gateway_session *list, size_t *n,
                    size_t cap)
{
    for (const struct transfer *t = g->transfers; t != NULL && *n < cap; t = t->next) {
        uint64_t done = atomic_load(&t->done), total = t->total;

        list[(*n)++] = (struct gateway_session) {
            .id = t->id,
            .protocol = "as2",
            .partner = arena_text(a, t->partner),
            .peer_code = arena_text(a, t->peer),
            .address = arena_text(a, t->address),
            .state = total > 0 && done >= total ? "answer" : "transfer",
            .tls = t->tls ? "TLS" : "",
            .initiator = t->outgoing,
            .since_ms = t->since_ms,
            .document_id = t->document_id,
            .done = done,
            .total = total,
            .octets_in = t->outgoing ? 0 : done,
            .octets_out = t->outgoing ? done : 0,
        };
    }
}
