/* Checks over all components together. The rows say which settings refer to components and
 * which are templates. */
#include "config/check_int.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

enum { HINTS_MAX = 100 };

static int by_name(const void *a, const void *b)
{
    const struct config_component *x = *(struct config_component *const *)a;
    const struct config_component *y = *(struct config_component *const *)b;

    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return strcmp(x->name, y->name);
}

const struct config_component *check_find(const struct check *c, enum config_kind kind,
                                          const char *name)
{
    struct config_component wanted = { .kind = kind, .name = name };
    struct config_component *p = &wanted, **found;

    found = c->n == 0
                ? NULL
                : bsearch(&p, c->sorted, c->n, sizeof(struct config_component *), by_name);
    return found == NULL ? NULL : *found;
}

static struct config_at place_of(const struct check *c, const void *value)
{
    for (const struct config_place *p = c->places; p != NULL; p = p->next)
        if (p->value == value)
            return p->at;
    return c->at;
}

void check_problem(struct check *c, const void *value, const char *fmt, ...)
{
    struct config_at at = place_of(c, value);
    char text[900];
    va_list ap;

    va_start(ap, fmt);
    (void)vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    config_problem_add(c->ps, c->file, at.line, at.column, "%s: %s", c->what, text);
}

/* ---- references ---- */

static const char *nearest_component(const struct check *c, enum config_kind kind,
                                     const char *name)
{
    const char *near = NULL;

    /* Beyond that nobody reads the hints, and thousands of wrong names would cost minutes. */
    if (c->ps->n > HINTS_MAX)
        return NULL;
    for (size_t i = 0; i < c->n; i++) {
        const char *other = c->sorted[i]->name;

        if (c->sorted[i]->kind != kind)
            continue;
        near = near == NULL ? scalar_nearest(name, &other, 1)
                            : scalar_nearest(name, (const char *[]) { near, other }, 2);
    }
    return near;
}

static bool has_key(const struct config_certificate *x)
{
    bool has = x->key_file != NULL || x->pkcs12_file != NULL || x->sealed_key != NULL;

    for (size_t i = 0; i < x->also_n; i++)
        has = has || x->also[i].key_file != NULL || x->also[i].pkcs12_file != NULL ||
              x->also[i].sealed_key != NULL;
    return has;
}

static enum config_kind kind_referred(const struct row *row)
{
    switch (row->refers) {
    case REFERS_PARTNER:
    case REFERS_PARTNER_AS2:
    case REFERS_PARTNER_ANY:
        return CONFIG_PARTNER;
    case REFERS_IDENTITY:
    case REFERS_IDENTITY_AS2:
    case REFERS_IDENTITY_ANY:
        return CONFIG_IDENTITY;
    default:
        return CONFIG_CERTIFICATE;
    }
}

/* The protocol whose settings a component lacks, or NULL. */
static const char *protocol_missing(const struct row *row, const struct config_component *to)
{
    switch (row->refers) {
    case REFERS_PARTNER:
        return to->u.partner.has_oftp2 ? NULL : "oftp2";
    case REFERS_IDENTITY:
        return to->u.identity.has_oftp2 ? NULL : "oftp2";
    case REFERS_PARTNER_AS2:
        return to->u.partner.has_as2 ? NULL : "as2";
    case REFERS_IDENTITY_AS2:
        return to->u.identity.has_as2 ? NULL : "as2";
    default:
        return NULL;
    }
}

static void check_reference(struct check *c, const struct row *row, const char *const *value)
{
    enum config_kind kind = kind_referred(row);
    const char *kind_name = config_kind_name(kind), *near, *missing;
    const struct config_component *to = check_find(c, kind, *value);

    if (to == NULL) {
        near = nearest_component(c, kind, *value);
        check_problem(
            c, value,
            "'%s' names the %s '%s', which does not exist; apply a component '%s: %s' or "
            "correct the name%s%s%s",
            row->name, kind_name, *value, kind_name, *value,
            near != NULL ? " (did you mean '" : "", near != NULL ? near : "",
            near != NULL ? "'?)" : "");
    } else if (row->refers == REFERS_KEY && !has_key(&to->u.certificate)) {
        check_problem(
            c, value,
            "'%s' names the certificate '%s', which has no private key; add key_file (or "
            "pkcs12_file) to that component, import it with its key, or name another",
            row->name, *value);
    } else if ((missing = protocol_missing(row, to)) != NULL) {
        check_problem(c, value, "'%s' names the %s '%s', which has no %s settings; add them",
                      row->name, kind_name, *value, missing);
    }
}

/* ---- templates ---- */

static void unknown_name(struct check *c, const struct row *row, const void *value,
                         const char *name)
{
    const char *names[64];
    char known[700];
    size_t n = 0, used = 0;

    for (; template_names[n].name != NULL && n < COUNT_OF(names); n++)
        names[n] = template_names[n].name;
    known[0] = '\0';
    for (size_t i = 0; i < n && used < sizeof(known); i++)
        used += (size_t)snprintf(known + used, sizeof(known) - used, "%s%s", i == 0 ? "" : ", ",
                                 names[i]);
    check_problem(c, value, "'%s' has {{%s}}, which is unknown; known are %s", row->name, name,
                  known);
}

static bool known_name(const char *name)
{
    for (const struct template_name *t = template_names; t->name != NULL; t++)
        if (strcmp(t->name, name) == 0)
            return true;
    return false;
}

static void check_template(struct check *c, const struct row *row, const void *value,
                           const char *text)
{
    while ((text = strstr(text, "{{")) != NULL) {
        const char *end = strstr(text, "}}");
        char name[64];
        size_t n;

        if (end == NULL) {
            check_problem(c, value, "'%s' has {{ without }}; close it", row->name);
            return;
        }
        text += 2;
        text += strspn(text, " ");
        n = text < end ? (size_t)(end - text) : 0;
        while (n > 0 && text[n - 1] == ' ')
            n--;
        (void)snprintf(name, sizeof(name), "%.*s", (int)(n < sizeof(name) ? n : sizeof(name)),
                       text);
        if (n >= sizeof(name) || !known_name(name))
            unknown_name(c, row, value, name);
        text = end + 2;
    }
}

static void check_row(void *ctx, const struct row *row, const void *value)
{
    struct check *c = ctx;
    const char *const *text = value;

    if (row->type == ROW_TEXTS && (row->flags & ROW_TEMPLATE)) {
        const char *const *texts = *(const char *const *const *)value;

        for (; texts != NULL && *texts != NULL; texts++)
            check_template(c, row, texts, *texts);
    } else if (row->type == ROW_TEXTS && row->refers != REFERS_NOWHERE) {
        const char *const *texts = *(const char *const *const *)value;

        for (; texts != NULL && *texts != NULL; texts++)
            check_reference(c, row, texts);
    } else if (row->type == ROW_TEXT && *text != NULL) {
        if (row->refers != REFERS_NOWHERE)
            check_reference(c, row, text);
        if (row->flags & ROW_TEMPLATE)
            check_template(c, row, value, *text);
    }
}

/* ---- the rest ---- */

static bool no_password(const struct config_oftp2_party *p)
{
    return p->password.value == NULL && p->password.name == NULL && !p->password_any;
}

/* What a partner's protection needs from the partner and from the identity it names. */
static void check_partner(struct check *c, const struct config_partner *p)
{
    const struct config_component *us =
        p->identity == NULL ? NULL : check_find(c, CONFIG_IDENTITY, p->identity);

    if (p->send_encrypted && p->oftp2.encryption_certificate == NULL)
        check_problem(
            c, &p->send_encrypted,
            "send: {encrypted: true} needs encryption_certificate in this partner: the "
            "partner's certificate to encrypt to");
    if (p->send_signed && us != NULL && us->u.identity.oftp2.signing_certificate == NULL)
        check_problem(
            c, &p->send_signed,
            "send: {signed: true} needs signing_certificate in the identity '%s': our "
            "certificate, with its key, to sign with",
            p->identity);
    if (p->send_signed_receipt && p->oftp2.acknowledgment_verification_certificate == NULL)
        check_problem(
            c, &p->send_signed_receipt,
            "send: {signed_receipt: true} needs acknowledgment_verification_certificate in "
            "this partner: the certificate its receipts are verified with");
    if (p->secure_authentication > 0 &&
        p->oftp2.session_authentication_encrypting_certificate == NULL)
        check_problem(c, &p->secure_authentication,
                      "require_secure_authentication needs "
                      "session_authentication_encrypting_certificate in this partner: the "
                      "certificate its challenge is encrypted to");
}

/* What a process requires can only be checked, or answered, with these certificates. */
static void check_required(struct check *c, const struct config_process *p)
{
    const struct config_component *partner =
        p->from_partner == NULL ? NULL : check_find(c, CONFIG_PARTNER, p->from_partner);
    const struct config_component *us =
        p->to_identity == NULL ? NULL : check_find(c, CONFIG_IDENTITY, p->to_identity);
    const struct config_oftp2_party *from =
        partner == NULL ? &p->from : &partner->u.partner.oftp2;
    const struct config_oftp2_party *to = us == NULL ? &p->to : &us->u.identity.oftp2;
    bool from_known = (p->from_partner == NULL) == (partner == NULL);
    bool to_known = (p->to_identity == NULL) == (us == NULL);

    if (p->require.is_signed && from_known && from->signature_verification_certificate == NULL)
        check_problem(
            c, &p->require.is_signed,
            "require: {signed: true} needs signature_verification_certificate in 'from' or "
            "the partner it names: the certificate signatures are verified with");
    if (p->require.encrypted && to_known && to->decryption_certificate == NULL)
        check_problem(c, &p->require.encrypted,
                      "require: {encrypted: true} needs decryption_certificate in 'to' or the "
                      "identity it names: our certificate, with its key, to decrypt with");
    if (p->require.signed_receipt && to_known && to->acknowledgment_signing_certificate == NULL)
        check_problem(
            c, &p->require.signed_receipt,
            "require: {signed_receipt: true} needs acknowledgment_signing_certificate in "
            "'to' or the identity it names: our certificate, with its key, to sign "
            "receipts with");
}

static void check_process(struct check *c, const struct config_process *p)
{
    const struct config_component *partner;

    check_sends(c, p);
    if (strcmp(p->listen, "as2-server") == 0) {
        check_process_as2(c, p);
        return;
    }
    check_required(c, p);
    if (p->from_partner == NULL)
        return; /* in place: the loader has seen to it */
    partner = check_find(c, CONFIG_PARTNER, p->from_partner);
    if (partner != NULL && partner->u.partner.has_oftp2 &&
        no_password(&partner->u.partner.oftp2))
        check_problem(
            c, &p->from_partner,
            "the partner '%s' has no password to be checked; add 'password' to it: the "
            "value, {secret: name}, or {any: true} to accept any",
            p->from_partner);
}

void check_look_at(struct check *c, const struct config_component *x, char what[100])
{
    (void)snprintf(what, 100, "%s %s", config_kind_name(x->kind), x->name);
    c->file = x->file;
    c->what = what;
    c->places = x->places;
    c->at = x->at;
}

static void check_component(struct check *c, const struct config_component *x)
{
    char what[100];

    check_look_at(c, x, what);
    schema_visit(component_mappings[x->kind], x, check_row, c);
    if (x->kind == CONFIG_PARTNER) {
        check_partner(c, &x->u.partner);
        check_partner_as2(c, &x->u.partner);
    }
    if (x->kind == CONFIG_PROCESS)
        check_process(c, &x->u.process);
}

static void check_twice(struct check *c)
{
    for (size_t i = 1; i < c->n; i++) {
        const struct config_component *a = c->sorted[i - 1], *b = c->sorted[i];

        if (by_name(&a, &b) == 0)
            config_problem_add(c->ps, b->file, b->at.line, b->at.column,
                               "%s %s is given twice (also at %s:%u); keep one, or give one "
                               "another name",
                               config_kind_name(b->kind), b->name,
                               a->file == NULL ? "-" : a->file, a->at.line);
    }
}

bool check_begin(struct check *c, const struct config_runtime *rt,
                 struct config_component *const *all, size_t n, struct config_problems *ps)
{
    *c = (struct check) { .n = n, .ps = ps, .rt = rt };
    c->sorted = calloc(n + 1, sizeof(struct config_component *));
    if (c->sorted == NULL)
        return false;
    if (n > 0)
        memcpy(c->sorted, all, n * sizeof(struct config_component *));
    qsort(c->sorted, n, sizeof(struct config_component *), by_name);
    return true;
}

bool config_check(const struct config_runtime *rt, struct config_component *const *all,
                  size_t n, struct config_problems *ps)
{
    struct check c;
    size_t before = ps->n;

    if (!check_begin(&c, rt, all, n, ps)) {
        config_problem_add(ps, NULL, 0, 0, "out of memory");
        return false;
    }
    check_twice(&c);
    if (rt != NULL) {
        c.file = rt->file;
        c.what = "waybill.yaml";
        c.places = rt->places;
        schema_visit(&mapping_runtime, rt, check_row, &c);
    }
    for (size_t i = 0; i < n; i++)
        check_component(&c, all[i]);
    free(c.sorted);
    return ps->n == before;
}
