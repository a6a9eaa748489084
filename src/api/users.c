/* Users and tokens: made, listed, changed, taken away; logging on and off; the audit log. */
#include "api/api_int.h"
#include "net/log.h"
#include "store/access.h"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <stdlib.h>

/* False: answered already. */
static bool good_name(struct api_call *c, const char *what, const char *name)
{
    static const char plain[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
                                "._@+-";
    size_t n = name == NULL ? 0 : strlen(name);

    if (n > 0 && n <= API_NAME_MAX && strspn(name, plain) == n)
        return true;
    api_error(c, 400, "the name of a %s has 1 to %d of the characters a-z A-Z 0-9 . _ @ + -",
              what, (int)API_NAME_MAX);
    return false;
}

/* False: answered already. */
static bool good_role(struct api_call *c, const char *role)
{
    enum api_role r;

    if (api_role_of(role, &r))
        return true;
    api_error(c, 400, "role is viewer, operator or admin");
    return false;
}

/* Commits with a line of the audit log, and frees. False: answered already. */
static bool commit(struct api_call *c, struct store_batch *b, const char *what)
{
    struct err err;
    bool ok;

    store_add_audit(b, net_wall_ms(), c->who, what != NULL ? what : "?");
    ok = store_commit(c->store, b, &err);
    store_batch_free(b);
    if (!ok)
        api_fail(c, &err);
    return ok;
}

/* NULL: answered already. */
static struct store_batch *batch(struct api_call *c)
{
    struct store_batch *b = store_batch_new();

    if (b == NULL)
        api_error(c, 500, "memory is out");
    return b;
}

bool api_audit(struct api_call *c, const char *what)
{
    struct store_batch *b = batch(c);

    return b != NULL && commit(c, b, what);
}

/* ---- users ------------------------------------------------------------------------------ */

static struct json_out user(const struct user *u)
{
    struct json_out o = json_out_object();

    json_put_text(&o, "name", u->name);
    json_put_text(&o, "role", u->role);
    json_put_time(&o, "created", u->created_ms);
    json_put_time(&o, "changed", u->changed_ms);
    return o;
}

void api_users(struct api_call *c)
{
    struct json_out o, all;
    struct user *list;
    struct err err;
    size_t n;

    if (!store_users(c->store, &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, user(&list[i]));
    json_put(&o, "users", all);
    api_json(c, 200, o);
}

/* False: answered already. */
static bool hash_password(struct api_call *c, const char *password,
                          char text[API_PASSWORD_TEXT])
{
    struct err err;

    if (password == NULL) {
        api_error(c, 400, "password is missing");
        return false;
    }
    if (api_password_good(password, &err) && api_password_make(password, text, &err))
        return true;
    api_fail(c, &err);
    return false;
}

/* False: answered already. */
static bool find_user(struct api_call *c, const char *name, struct user *u)
{
    struct err err;
    bool found;

    if (!store_find_user(c->store, name, &c->r->arena, u, &found, &err)) {
        api_fail(c, &err);
        return false;
    }
    if (!found)
        api_error(c, 404, "there is no user '%.64s'", name);
    return found;
}

static void add_user(struct api_call *c, const json_t *v)
{
    const char *name = api_text_of(v, "name"), *role = api_text_of(v, "role");
    int64_t now = net_wall_ms();
    char password[API_PASSWORD_TEXT];
    struct user u = { name, role, password, now, now };
    struct store_batch *b;

    if (!good_name(c, "user", name) || !good_role(c, role) ||
        !hash_password(c, api_text_of(v, "password"), password) || (b = batch(c)) == NULL)
        return;
    store_add_user(b, &u);
    if (commit(c, b, arena_printf(&c->r->arena, "add user %s as %s", name, role)))
        api_json(c, 201, user(&u));
}

void api_user_add(struct api_call *c)
{
    json_t *v = api_read_object(c);

    if (v == NULL)
        return;
    add_user(c, v);
    api_wipe(v);
}

static void set_user(struct api_call *c, const char *name, const char *role,
                     const char *password, const char *what)
{
    struct store_batch *b = batch(c);
    struct user u;

    if (b == NULL)
        return;
    store_set_user(b, name, role, password, net_wall_ms());
    if (commit(c, b, what) && find_user(c, name, &u))
        api_json(c, 200, user(&u));
}

void api_user_password(struct api_call *c)
{
    json_t *v = api_read_object(c);
    char password[API_PASSWORD_TEXT];
    struct user u;

    if (v == NULL)
        return;
    if (find_user(c, c->arg[0], &u) && hash_password(c, api_text_of(v, "password"), password))
        set_user(c, u.name, NULL, password,
                 arena_printf(&c->r->arena, "set password of user %s", u.name));
    api_wipe(v);
}

void api_user_role(struct api_call *c)
{
    json_t *v = api_read_object(c);
    struct user u;
    const char *role;

    if (v == NULL)
        return;
    role = api_text_of(v, "role");
    if (find_user(c, c->arg[0], &u) && good_role(c, role))
        set_user(c, u.name, role, NULL,
                 arena_printf(&c->r->arena, "set role of user %s to %s", u.name, role));
    api_wipe(v);
}

static void deleted(struct api_call *c)
{
    struct json_out o = json_out_object();

    json_put_bool(&o, "deleted", true);
    api_json(c, 200, o);
}

void api_user_delete(struct api_call *c)
{
    struct store_batch *b;
    struct user u;

    if (!find_user(c, c->arg[0], &u) || (b = batch(c)) == NULL)
        return;
    store_drop_user(b, u.name);
    if (commit(c, b, arena_printf(&c->r->arena, "delete user %s", u.name)))
        deleted(c);
}

/* ---- tokens ----------------------------------------------------------------------------- */

static struct json_out token(const struct token *t, const char *text)
{
    struct json_out o = json_out_object();

    json_put_text(&o, "name", t->name);
    json_put_text(&o, "role", t->role);
    json_put_text(&o, "made_by", t->made_by);
    json_put_time(&o, "created", t->created_ms);
    json_put_time(&o, "expires", t->expires_ms);
    json_put_time(&o, "used", t->used_ms);
    if (text != NULL)
        json_put_text(&o, "token", text);
    return o;
}

void api_tokens(struct api_call *c)
{
    struct json_out o, all;
    struct token *list;
    struct err err;
    size_t n;

    if (!store_tokens(c->store, &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, token(&list[i], NULL));
    json_put(&o, "tokens", all);
    api_json(c, 200, o);
}

/* "waybill_" and digits: what a scan for secrets can find. */
static bool token_make(char text[API_TOKEN_TEXT])
{
    uint8_t octets[API_TOKEN_OCTETS];

    if (RAND_bytes(octets, sizeof(octets)) != 1)
        return false;
    memcpy(text, "waybill_", 8);
    api_hex(octets, sizeof(octets), text + 8);
    OPENSSL_cleanse(octets, sizeof(octets));
    return true;
}

/* False: answered already. */
static bool expiry(struct api_call *c, const json_t *v, int64_t now, int64_t *ms)
{
    const json_t *given = json_object_get(v, "expires");
    const char *text = json_string_value(given);

    *ms = 0;
    if (given == NULL || json_is_null(given))
        return true;
    if (text != NULL && json_time_of(text, ms) && *ms > now)
        return true;
    api_error(c, 400, "expires is a time to come, such as 2030-01-01T00:00:00Z");
    return false;
}

static void add_token(struct api_call *c, const json_t *v)
{
    const char *name = api_text_of(v, "name"), *role = api_text_of(v, "role");
    struct token t = { .name = name, .role = role, .made_by = c->who };
    char text[API_TOKEN_TEXT], hash[65];
    struct store_batch *b;

    t.created_ms = net_wall_ms();
    if (!good_name(c, "token", name) || !good_role(c, role) ||
        !expiry(c, v, t.created_ms, &t.expires_ms))
        return;
    if (!token_make(text)) {
        api_error(c, 500, "random octets");
        return;
    }
    if ((b = batch(c)) == NULL)
        return;
    api_token_hash(text, hash);
    t.hash = hash;
    store_add_token(b, &t);
    if (commit(c, b, arena_printf(&c->r->arena, "add token %s as %s", name, role)))
        api_json(c, 201, token(&t, text));
    OPENSSL_cleanse(text, sizeof(text));
}

void api_token_add(struct api_call *c)
{
    json_t *v = api_read_object(c);

    if (v == NULL)
        return;
    add_token(c, v);
    api_wipe(v);
}

void api_token_delete(struct api_call *c)
{
    struct store_batch *b;
    struct token *list;
    struct err err;
    size_t n, i;

    if (!store_tokens(c->store, &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    for (i = 0; i < n && strcmp(list[i].name, c->arg[0]) != 0; i++) {
    }
    if (i == n) {
        api_error(c, 404, "there is no token '%.64s'", c->arg[0]);
        return;
    }
    if ((b = batch(c)) == NULL)
        return;
    store_drop_token(b, c->arg[0]);
    if (commit(c, b, arena_printf(&c->r->arena, "delete token %s", c->arg[0])))
        deleted(c);
}

/* ---- sessions of the console ------------------------------------------------------------ */

/* Who asks, and what the page needs for changes. */
struct json_out api_session_tell(const struct api_call *c)
{
    struct json_out o = json_out_object();

    json_put_text(&o, "who", c->who);
    json_put_text(&o, "user", c->user);
    json_put_text(&o, "role", api_role_name(c->role));
    json_put_text(&o, "csrf", c->csrf);
    json_put_time(&o, "expires", c->session_ms);
    return o;
}

static void tell_session(struct api_call *c)
{
    api_json(c, 200, api_session_tell(c));
}

void api_session(struct api_call *c)
{
    tell_session(c);
}

static void begin_session(struct api_call *c, const json_t *v)
{
    const char *name = api_text_of(v, "name"), *password = api_text_of(v, "password");
    struct user u = { 0 };
    struct err err;

    if (name == NULL || password == NULL) {
        api_error(c, 400, "send {\"name\": ..., \"password\": ...}");
        return;
    }
    if (!api_logon_password(c, "session", name, password, &u) || !api_logon_user(c, &u))
        return;
    if (!api_session_begin(c, &u, &err)) {
        api_fail(c, &err);
        return;
    }
    log_event(LOG_INFO, "api.logon", "who", c->who, "role", u.role, NULL);
    tell_session(c);
}

void api_session_post(struct api_call *c)
{
    const char *type = http_header(c->r, "Content-Type");
    json_t *v;

    /* what another site's form cannot send */
    if (!c->conn->local && (type == NULL || strncmp(type, "application/json", 16) != 0)) {
        api_error(c, 415, "log on with 'Content-Type: application/json'");
        return;
    }
    v = api_read_object(c);
    if (v == NULL)
        return;
    begin_session(c, v);
    api_wipe(v);
}

void api_session_delete(struct api_call *c)
{
    struct json_out o = json_out_object();

    api_session_drop(c);
    api_session_cookie_gone(c);
    json_put_bool(&o, "ended", true);
    api_json(c, 200, o);
}

static void own_password(struct api_call *c, const json_t *v)
{
    const char *old = api_text_of(v, "old");
    char password[API_PASSWORD_TEXT];
    struct store_batch *b;
    struct user u = { 0 };
    struct err err;

    if (c->user == NULL || old == NULL) {
        api_error(c, 400,
                  c->user == NULL ? "only a user has a password"
                                  : "send {\"old\": ..., \"password\": ...}");
        return;
    }
    if (!api_logon_password(c, "password", c->user, old, &u) ||
        !hash_password(c, api_text_of(v, "password"), password) || (b = batch(c)) == NULL)
        return;
    store_set_user(b, u.name, NULL, password, net_wall_ms());
    if (!commit(c, b, arena_printf(&c->r->arena, "set own password of user %s", u.name)))
        return;
    u.password = password;
    if (c->csrf != NULL && !api_session_begin(c, &u, &err)) /* the others have ended by this */
        api_fail(c, &err);
    else
        tell_session(c);
}

void api_session_password(struct api_call *c)
{
    json_t *v = api_read_object(c);

    if (v == NULL)
        return;
    own_password(c, v);
    api_wipe(v);
}
