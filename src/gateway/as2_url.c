/* Where asynchronous MDNs may go: as2.md 4.9. What the message wants is the word of a stranger until
 * its signature says otherwise; hosts that an operator configured are trusted. */
#include "gateway/as2_int.h"

#include <strings.h>

static bool same_host(const char *configured, const struct http_url *wanted, struct arena *a)
{
    struct http_url u;
    struct err ignored;

    return configured != NULL && http_url_check(configured, a, &u, &ignored) &&
           strcasecmp(u.host, wanted->host) == 0;
}

bool as2_mdn_urls(const struct listener *l, const char *wanted, struct arena *a,
                  const char **url, const char **fallback, struct err *err)
{
    const struct config_as2_operation *op = &l->process->as2;
    const struct config_as2_partner *out = l->partner == NULL ? NULL : l->partner->as2_out.cfg;
    const char *configured = op->mdn_url != NULL ? op->mdn_url
                             : out != NULL       ? out->mdn_url
                                                 : NULL;
    struct http_url u;
    struct err why = { 0 };
    bool fine = http_url_check(wanted, a, &u, &why);

    *url = NULL;
    *fallback = configured;
    if (fine && op->mdn_delivery == MDN_URL_ANY_PUBLIC) {
        fine = same_host(configured, &u, a) || (out != NULL && same_host(out->url, &u, a)) ||
               http_url_public(&u, &why);
        *url = fine ? u.url : NULL;
    } else if (fine && op->mdn_delivery == MDN_URL_PARTNER_HOST) {
        if (same_host(configured, &u, a) || (out != NULL && same_host(out->url, &u, a)))
            *url = u.url;
        if (*url != NULL && *fallback == NULL)
            *fallback = out != NULL ? out->url : NULL;
    }
    if (*url == NULL && *fallback == NULL)
        return FAIL(err, FAIL_TRUST, 403,
                    "its Receipt-Delivery-Option names a host that is not this partner's, and "
                    "there is no other place for the MDN: see mdn_delivery and mdn_url%s%s",
                    fine ? "" : ": ", fine ? "" : why.text);
    return true;
}
