/* Certificates that end soon: said 30, 14 and 3 days ahead, and every day once they have ended. */
#include "gateway/security.h"

#include <stdio.h>

enum { DAY_MS = 24 * 3600 * 1000 };

/* The warning that is due at so many days left: 30, 14, 3, 0 (ended), or 31: none yet. */
static int stage_of(int days)
{
    return days < 0 ? 0 : days <= 3 ? 3 : days <= 14 ? 14 : days <= 30 ? 30 : 31;
}

static void warn(const struct certificate *c, const X509 *x, int days)
{
    char subject[200];

    pki_subject(x, subject, sizeof(subject));
    log_event(days <= 3 ? LOG_ERROR : LOG_WARN,
              days < 0 ? "certificate.expired" : "certificate.expires", "certificate", c->name,
              "subject", subject, "days_left", log_num(days), "look_at",
              "get a new one and list the old one under `also` until it ends", NULL);
}

void expiry_warn(struct gateway *g, const struct snapshot *sn, int64_t *next_ms)
{
    int64_t now = net_wall_ms();

    (void)g;
    if (now < *next_ms)
        return;
    *next_ms = now + DAY_MS;
    for (size_t i = 0; i < sn->certificates_n; i++) {
        const struct certificate *c = &sn->certificates[i];
        int best = -1;

        /* Where a newer one stands ready, the older may end in peace. */
        for (size_t j = 0; j < c->set.n; j++) {
            int days = pki_days_left(c->set.list[j]->leaf, now / 1000);

            if (pki_valid_at(c->set.list[j]->leaf, now / 1000) && days > best)
                best = days;
        }
        if (c->set.n > 0 && stage_of(best) < 31)
            warn(c, c->set.list[0]->leaf, best);
    }
}
