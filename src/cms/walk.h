/* Walks one ContentInfo octet by octet up to its content, through it and to its end. What stands
 * before and behind the content is collected raw, up to the limits of cms.h, for libcrypto. */
#ifndef WAYBILL_CMS_WALK_H
#define WAYBILL_CMS_WALK_H

#include "cms/cms_int.h"

enum walked {
    WALK_MORE,    /* all input taken                                           */
    WALK_HEAD,    /* kind, head and inner are known; the content follows       */
    WALK_CONTENT, /* *slice is content, not taken yet: walk_take()             */
    WALK_CLOSED,  /* the content has ended                                     */
    WALK_DONE,    /* the object has ended, tail is known; no more is taken     */
    WALK_FAIL,    /* *err is set: CMS_FORMAT                                   */
};

enum walk_phase { WALK_BEFORE, WALK_WITHIN, WALK_BEHIND };

/* Zero it to begin; walk_free() in the end. */
struct walk {
    struct ber ber;
    enum cms_kind kind;
    struct grow head, inner, tail; /* struct form's */
    bool absent;                   /* there is no content: "detached" */

    enum walk_phase phase;
    unsigned content_depth;
    struct grow *capture; /* the element at capture_depth goes there */
    unsigned capture_depth;
    unsigned children; /* of the SET being collected       */
    unsigned index[6]; /* elements begun, by depth         */
    uint8_t oid[16];   /* content of the type's identifier */
    size_t oid_n;
    bool inner_begun, tell_head, tell_closed;
};

enum walked walk_next(struct walk *w, struct span *in, struct span *slice, struct err *err);
void walk_take(struct walk *w, struct span *in, size_t n);
void walk_free(struct walk *w);

/* Whether s begins like a ContentInfo of a kind we open. */
enum walk_guess { GUESS_NO, GUESS_YES, GUESS_SHORT };
enum walk_guess walk_guess(struct span s);

#endif
