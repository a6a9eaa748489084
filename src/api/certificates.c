/* Certificates: listed, imported, exported. Private keys come in this way, and leave it encrypted
 * only; bodies are wiped, and neither logged nor kept. */
#include "api/api_int.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

static struct json_out certificate(const struct gateway_certificate *x)
{
    struct json_out o = json_out_object(), users = json_out_list();

    json_put_text(&o, "name", x->name);
    json_put_int(&o, "number", x->number);
    json_put_text(&o, "subject", x->subject);
    json_put_text(&o, "issuer", x->issuer);
    json_put_text(&o, "serial", x->serial);
    json_put_text(&o, "sha256", x->sha256);
    json_put_time(&o, "valid_from", x->from_s * 1000);
    json_put_time(&o, "valid_to", x->to_s * 1000);
    json_put_int(&o, "days_left", x->days_left);
    json_put_text(&o, "state", x->state);
    json_put_text(&o, "problem", x->problem);
    json_put_bool(&o, "has_key", x->has_key);
    json_put_text(&o, "where", x->place);
    for (size_t i = 0; i < x->users_n; i++)
        json_add_text(&users, x->users[i]);
    json_put(&o, "used_by", users);
    json_put_time(&o, "crl_next_update", x->crl_next_s * 1000);
    json_put_bool(&o, "crl_overdue", x->crl_overdue);
    return o;
}

void api_certificates(struct api_call *c)
{
    struct json_out o, all;
    struct gateway_certificate *list;
    struct err err;
    size_t n;

    if (!gateway_certificates(c->gateway, &c->r->arena, &list, &n, &err)) {
        api_fail(c, &err);
        return;
    }
    o = json_out_object();
    all = json_out_list();
    for (size_t i = 0; i < n; i++)
        json_add(&all, certificate(&list[i]));
    json_put(&o, "certificates", all);
    api_json(c, 200, o);
}

/* ---- bodies with secrets ---------------------------------------------------------------- */

void api_wipe(json_t *v)
{
    const char *key;
    json_t *in;

    json_object_foreach(v, key, in)
    {
        if (json_is_string(in))
            OPENSSL_cleanse((void *)(uintptr_t)json_string_value(in), json_string_length(in));
    }
    json_decref(v);
}

json_t *api_read_object(struct api_call *c)
{
    size_t n;
    uint8_t *text = api_body(c, &n);
    json_t *v;

    if (text == NULL)
        return NULL;
    v = n == 0 ? json_object() : json_loadb((const char *)text, n, 0, NULL);
    OPENSSL_cleanse(text, n);
    free(text);
    if (json_is_object(v))
        return v;
    api_wipe(v);
    api_error(c, 400, "the body is not a JSON object");
    return NULL;
}

const char *api_text_of(const json_t *v, const char *key)
{
    return json_string_value(json_object_get(v, key));
}

/* PEM as it is, else base64 of DER, PKCS#7 or PKCS#12. Given: wiped by clear. False: answered already. */
static bool octets_of(struct api_call *c, const json_t *v, const char *key, struct span *out)
{
    const char *text = api_text_of(v, key);
    size_t n = text == NULL ? 0 : strlen(text), len = 0, pad = 0;
    uint8_t *p;
    int got;

    *out = (struct span) { NULL, 0 };
    if (n == 0)
        return true;
    p = malloc(n + 1);
    if (p == NULL) {
        api_error(c, 500, "memory is out");
        return false;
    }
    if (strstr(text, "-----BEGIN ") != NULL) {
        memcpy(p, text, n);
        *out = span_of(p, n);
        return true;
    }
    for (const char *t = text; *t != '\0'; t++)
        if (strchr(" \r\n", *t) == NULL)
            p[len++] = (uint8_t)*t;
    while (pad < 2 && pad < len && p[len - 1 - pad] == '=')
        pad++;
    got = len == 0 || len % 4 != 0 ? -1 : EVP_DecodeBlock(p, p, (int)len);
    if (got < (int)pad) {
        OPENSSL_clear_free(p, n + 1);
        api_error(c, 400, "'%s' is neither PEM nor base64", key);
        return false;
    }
    *out = span_of(p, (size_t)got - pad);
    return true;
}

static void clear(struct span s)
{
    if (s.p != NULL)
        OPENSSL_cleanse((void *)(uintptr_t)s.p, s.n);
    free((void *)(uintptr_t)s.p);
}

/* ---- import ----------------------------------------------------------------------------- */

static void import(struct api_call *c, const struct gateway_import *what)
{
    struct gateway_imported got = { 0 };
    struct config_problems ps = { 0 };
    struct err err = { 0 };
    struct json_out o;

    if (gateway_certificate_import(c->gateway, what, c->who, &c->r->arena, &got, &ps, &err)) {
        o = json_out_object();
        json_put_text(&o, "name", what->name);
        json_put_int(&o, "version", got.version);
        json_put_text(&o, "subject", got.subject);
        json_put_text(&o, "sha256", got.sha256);
        json_put_int(&o, "days_left", got.days_left);
        json_put_bool(&o, "has_key", got.has_key);
        json_put_text(&o, "problem", got.problem);
        api_json(c, 200, o);
    } else {
        api_fail_problems(c, &err, &ps);
    }
    config_problems_free(&ps);
}

void api_certificate_import(struct api_call *c)
{
    const char *next = http_query(c->r, "next");
    json_t *v = api_read_object(c);
    struct gateway_import what = { .name = c->arg[0] };

    if (v == NULL)
        return;
    what.next = next != NULL && strcmp(next, "0") != 0 && strcmp(next, "false") != 0;
    what.password = api_text_of(v, "password");
    if (octets_of(c, v, "certificate", &what.certificate)) {
        if (octets_of(c, v, "key", &what.key))
            import(c, &what);
        clear(what.key);
    }
    clear(what.certificate);
    api_wipe(v);
}

/* ---- export ----------------------------------------------------------------------------- */

static struct json_out exported(const char *name, const struct gateway_exported *x)
{
    struct json_out o = json_out_object();
    char *text = x->pkcs12 == NULL ? NULL : malloc(4 * ((x->pkcs12_n + 2) / 3) + 1);

    json_put_text(&o, "name", name);
    json_put_text(&o, "certificate", x->pem);
    if (x->key != NULL)
        json_put_text(&o, "key", x->key);
    if (x->pkcs12 != NULL && text == NULL)
        o.failed = true;
    if (text != NULL) {
        (void)EVP_EncodeBlock((uint8_t *)text, x->pkcs12, (int)x->pkcs12_n);
        json_put_text(&o, "pkcs12", text);
    }
    free(text);
    return o;
}

void api_certificate_export(struct api_call *c)
{
    json_t *v = api_read_object(c);
    struct gateway_exported got = { 0 };
    struct gateway_export what = { .name = c->arg[0] };
    json_int_t number = json_integer_value(json_object_get(v, "number"));
    struct err err = { 0 };

    if (v == NULL)
        return;
    what.number = number < 0 || number > 1000 ? 1000 : (unsigned)number;
    what.chain = json_is_true(json_object_get(v, "chain"));
    what.key = json_is_true(json_object_get(v, "key"));
    what.pkcs12 = json_is_true(json_object_get(v, "pkcs12"));
    what.password = api_text_of(v, "password");
    if (gateway_certificate_export(c->gateway, &what, c->who, &got, &err))
        api_json(c, 200, exported(what.name, &got));
    else
        api_fail(c, &err);
    gateway_exported_free(&got);
    api_wipe(v);
}
