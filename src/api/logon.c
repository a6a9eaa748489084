/* Who asks: a program by its token or a user's name and password, the console by its session.
 * Failed log-ons are answered late and all alike; successful ones by password are remembered for a
 * while as a keyed digest, so that a program with Basic authentication does not pay for the slow
 * hash with each request. */
#include "api/api_int.h"
#include "net/log.h"
#include "store/access.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>
#include <openssl/sha.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <strings.h>
#include <sys/socket.h>

enum {
    KNOWN_MAX = 64,             /* passwords remembered            */
    KNOWN_MS = 5 * 60 * 1000,   /* for so long                     */
    FAILED_MAX = 64,            /* addresses that failed lately    */
    FAILED_MS = 15 * 60 * 1000, /* so long                         */
    DELAY_MS = 1000,            /* of the first failure            */
    DELAY_DOUBLED = 3,          /* at most so often                */
    USED_MS = 60 * 1000,        /* how exactly last use is kept    */
    BASIC_MAX = 1024,
};

struct api_logon {
    pthread_mutex_t lock;
    uint8_t key[32];
    struct known {
        uint8_t digest[32];
        uint64_t until_ms; /* net_now_ms */
    } known[KNOWN_MAX];
    size_t known_next;
    struct failed {
        char address[64];
        unsigned times;
        uint64_t until_ms;
    } failed[FAILED_MAX];
};

struct api_logon *api_logon_new(void)
{
    struct api_logon *l = calloc(1, sizeof(*l));

    if (l == NULL || RAND_bytes(l->key, sizeof(l->key)) != 1) {
        free(l);
        return NULL;
    }
    pthread_mutex_init(&l->lock, NULL);
    return l;
}

void api_logon_free(struct api_logon *l)
{
    if (l == NULL)
        return;
    pthread_mutex_destroy(&l->lock);
    OPENSSL_cleanse(l, sizeof(*l));
    free(l);
}

/* ---- roles ------------------------------------------------------------------------------ */

static const char *const role_names[] = { "nobody", "viewer", "operator", "admin" };

bool api_role_of(const char *name, enum api_role *role)
{
    for (int i = ROLE_VIEWER; i <= ROLE_ADMIN; i++) {
        if (name != NULL && strcmp(name, role_names[i]) == 0) {
            *role = (enum api_role)i;
            return true;
        }
    }
    return false;
}

const char *api_role_name(enum api_role role)
{
    return role_names[role > 0 ? role : 0];
}

/* ---- failures --------------------------------------------------------------------------- */

/* How long this failure of an address is to take. */
static uint64_t failed_again(struct api_logon *l, const char *address)
{
    uint64_t now = net_now_ms();
    struct failed *f = &l->failed[0];
    unsigned times;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < FAILED_MAX; i++) {
        if (l->failed[i].until_ms > now && strcmp(l->failed[i].address, address) == 0) {
            f = &l->failed[i];
            break;
        }
        if (l->failed[i].until_ms < f->until_ms)
            f = &l->failed[i]; /* the one that is over first makes room */
    }
    if (f->until_ms <= now || strcmp(f->address, address) != 0) {
        *f = (struct failed) { .times = 0 };
        (void)text_copy(f->address, sizeof(f->address), address);
    }
    times = f->times++;
    f->until_ms = now + FAILED_MS;
    pthread_mutex_unlock(&l->lock);
    return (uint64_t)DELAY_MS << (times < DELAY_DOUBLED ? times : DELAY_DOUBLED);
}

static void forgive(struct api_logon *l, const char *address)
{
    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < FAILED_MAX; i++)
        if (strcmp(l->failed[i].address, address) == 0)
            l->failed[i].until_ms = 0;
    pthread_mutex_unlock(&l->lock);
}

/* Until the time is over, the client goes or the runtime stops. */
static void wait_until(const struct api_call *c, uint64_t until_ms)
{
    struct pollfd p = { .fd = c->conn->fd, .events = POLLRDHUP };
    uint64_t now;

    while (!atomic_load(&c->api->stopping) && (now = net_now_ms()) < until_ms)
        if (poll(&p, 1, (int)(until_ms - now)) != 0 && errno != EINTR)
            return;
}

static bool refuse(struct api_call *c, const char *kind, const char *name, const char *text)
{
    /* to show nothing is what a browser does that has not logged on yet */
    log_event(strcmp(kind, "none") == 0 ? LOG_INFO : LOG_WARN, "api.logon.failed", "peer",
              c->r->peer, "kind", kind, "name", name, "path", c->r->path, NULL);
    c->extra = "WWW-Authenticate: Bearer\r\n"; /* Basic here would have browsers ask */
    api_error(c, 401, "%s", text);
    return false;
}

/* ---- passwords -------------------------------------------------------------------------- */

static bool digest_of(const struct api_logon *l, const struct user *u, const char *password,
                      struct arena *a, uint8_t digest[32])
{
    const char *text = arena_printf(a, "%s\n%s\n%s", u->name, u->password, password);
    unsigned n = 32;

    return text != NULL && HMAC(EVP_sha256(), l->key, sizeof(l->key), (const uint8_t *)text,
                                strlen(text), digest, &n) != NULL;
}

static bool is_known(struct api_logon *l, const uint8_t digest[32])
{
    uint64_t now = net_now_ms();
    bool found = false;

    pthread_mutex_lock(&l->lock);
    for (size_t i = 0; i < KNOWN_MAX; i++)
        found |=
            l->known[i].until_ms > now && CRYPTO_memcmp(l->known[i].digest, digest, 32) == 0;
    pthread_mutex_unlock(&l->lock);
    return found;
}

static void remember(struct api_logon *l, const uint8_t digest[32])
{
    struct known *k;

    pthread_mutex_lock(&l->lock);
    k = &l->known[l->known_next++ % KNOWN_MAX];
    memcpy(k->digest, digest, 32);
    k->until_ms = net_now_ms() + KNOWN_MS;
    pthread_mutex_unlock(&l->lock);
}

bool api_logon_password(struct api_call *c, const char *kind, const char *name,
                        const char *password, struct user *u)
{
    struct api_logon *l = c->api->logon;
    uint64_t begin = net_now_ms();
    bool found = false, good, keyed;
    uint8_t digest[32];
    struct err err;

    if (!store_find_user(c->store, name, &c->r->arena, u, &found, &err)) {
        api_fail(c, &err);
        return false;
    }
    keyed = found && digest_of(l, u, password, &c->r->arena, digest);
    if (keyed && is_known(l, digest))
        return true;
    good = api_password_fits(found ? u->password : NULL, password);
    if (!good) {
        wait_until(c, begin + failed_again(l, c->r->address));
        return refuse(c, kind, name, "the name or the password is wrong");
    }
    forgive(l, c->r->address);
    if (keyed)
        remember(l, digest);
    return true;
}

static bool by_basic(struct api_call *c, const char *text)
{
    uint8_t octets[BASIC_MAX + 4];
    struct user u = { 0 };
    size_t n = strlen(text);
    int got = n == 0 || n % 4 != 0 || n > BASIC_MAX
                  ? -1
                  : EVP_DecodeBlock(octets, (const uint8_t *)text, (int)n);
    char *password;
    bool ok;

    if (got < 0)
        return refuse(c, "basic", "", "the Authorization header is not understood");
    got -= text[n - 1] == '=' ? 1 : 0;
    got -= text[n - 2] == '=' ? 1 : 0;
    octets[got < 0 ? 0 : got] = '\0';
    password = strchr((char *)octets, ':');
    if (password == NULL)
        return refuse(c, "basic", "", "the Authorization header is not understood");
    *password++ = '\0';
    ok = api_logon_password(c, "basic", (const char *)octets, password, &u) &&
         api_logon_user(c, &u);
    OPENSSL_cleanse(octets, sizeof(octets));
    return ok;
}

bool api_logon_user(struct api_call *c, const struct user *u)
{
    if (!api_role_of(u->role, &c->role))
        return refuse(c, "user", u->name, "the user's role is not known to this version");
    c->user = u->name;
    c->who = arena_printf(&c->r->arena, "user:%s from %s", u->name, c->r->address);
    return c->who != NULL;
}

/* ---- tokens ----------------------------------------------------------------------------- */

void api_token_hash(const char *token, char hash[65])
{
    uint8_t digest[SHA256_DIGEST_LENGTH];

    (void)SHA256((const uint8_t *)token, strlen(token), digest);
    api_hex(digest, sizeof(digest), hash);
}

/* Once a minute is enough to see which tokens nobody uses any more. */
static void note_use(struct api_call *c, const struct token *t, int64_t now)
{
    struct store_batch *b;
    struct err err;

    if (now - t->used_ms < USED_MS || (b = store_batch_new()) == NULL)
        return;
    store_use_token(b, t->name, now);
    if (!store_commit(c->store, b, &err))
        log_event(LOG_WARN, "api.token.note", "name", t->name, "error", err.text, NULL);
    store_batch_free(b);
}

static bool by_token(struct api_call *c, const char *text)
{
    int64_t now = net_wall_ms();
    struct token t;
    char hash[65];
    struct err err;
    bool found;

    api_token_hash(text, hash);
    if (!store_find_token(c->store, hash, &c->r->arena, &t, &found, &err)) {
        api_fail(c, &err);
        return false;
    }
    if (!found || (t.expires_ms != 0 && t.expires_ms <= now) || !api_role_of(t.role, &c->role))
        return refuse(c, "token", found ? t.name : "",
                      "the token is not known, or has expired");
    note_use(c, &t, now);
    c->who = arena_printf(&c->r->arena, "token:%s from %s", t.name, c->r->address);
    return c->who != NULL;
}

/* ---- all together ----------------------------------------------------------------------- */

/* Nothing was shown. False always. */
static bool nothing(struct api_call *c)
{
    struct user *users;
    struct err err;
    size_t n = 0;

    if (!store_users(c->store, &c->r->arena, &users, &n, &err)) {
        api_fail(c, &err);
        return false;
    }
    return refuse(c, "none", "",
                  n == 0 ? "there is no user yet: run `waybill users add NAME --role admin` on "
                           "the machine of the runtime"
                         : "log on: send 'Authorization: Bearer TOKEN' with a token made by "
                           "`waybill tokens add`, or a user's name and password");
}

bool api_logon(struct api_call *c)
{
    const char *authorization;

    if (c->conn->local)
        return api_logon_local(c);
    if (!http_header_once(c->r, "Authorization", &authorization)) {
        api_error(c, 400, "two Authorization headers that differ");
        return false;
    }
    if (authorization == NULL) {
        switch (api_session_find(c)) {
        case SESSION_GOOD:
            return true;
        case SESSION_ANSWERED:
            return false;
        case SESSION_NONE:
            return nothing(c);
        }
    }
    if (strncasecmp(authorization, "Bearer ", 7) == 0)
        return by_token(c, authorization + 7 + strspn(authorization + 7, " "));
    if (strncasecmp(authorization, "Basic ", 6) == 0)
        return by_basic(c, authorization + 6 + strspn(authorization + 6, " "));
    return refuse(c, "other", "", "the Authorization header takes Bearer and Basic");
}

bool api_logon_local(struct api_call *c)
{
    struct ucred cred;
    socklen_t n = sizeof(cred);

    if (getsockopt(c->conn->fd, SOL_SOCKET, SO_PEERCRED, &cred, &n) == 0)
        c->who = arena_printf(&c->r->arena, "local:%u", (unsigned)cred.uid);
    else
        c->who = "local";
    c->role = ROLE_ADMIN;
    return c->who != NULL;
}
