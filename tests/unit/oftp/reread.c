#include "reread.h"

#include <assert.h>
#include <stdlib.h>

#include "base/writer.h"

static uint8_t again[OFTP_OEB_MAX];

static bool same_reason(int got, int want)
{
    return got == want || got == 99;
}

static bool ssid(struct span oeb, struct err *err)
{
    struct oftp_ssid a, b;
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_ssid(oeb, &a, err))
        return false;
    if (!oftp_write_ssid(&w, &a, err)) {
        assert(err->kind == FAIL_LOCAL && w.n == 0);
        assert(!oftp_code_valid(a.code) ||
               (a.lev != 1 && a.lev != 2 && a.lev != 4 && a.lev != 5));
        return true;
    }
    assert(w.n == 61 && oftp_read_ssid(writer_done(&w), &b, err));
    assert(a.lev == b.lev && strcmp(a.code, b.code) == 0 && strcmp(a.pswd, b.pswd) == 0);
    assert(a.sdeb == b.sdeb && a.sr == b.sr && a.cmpr == b.cmpr && a.rest == b.rest);
    assert(a.spec == b.spec && a.cred == b.cred && a.auth == b.auth);
    assert(strcmp(a.user, b.user) == 0);
    return true;
}

static bool sfid_sendable(const struct oftp_sfid *c)
{
    return (oftp_x_valid(c->dsn, OFTP_DSN) || strchr(c->dsn, '_') != NULL) &&
           oftp_code_valid(c->dest) && oftp_code_valid(c->orig) &&
           (c->env == 1 || (c->sec == 0 && c->comp == 0));
}

static bool sfid(struct span oeb, int level, struct err *err)
{
    static struct oftp_sfid a, b;
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_sfid(oeb, level, &a, err))
        return false;
    if (!oftp_write_sfid(&w, level, &a, err)) {
        assert(err->kind == FAIL_LOCAL && w.n == 0);
        assert(!sfid_sendable(&a) || strchr(a.dsn, '_') != NULL);
        return true;
    }
    assert(sfid_sendable(&a));
    assert(oftp_read_sfid(writer_done(&w), level, &b, err));
    assert(strcmp(a.dsn, b.dsn) == 0 && strcmp(a.user, b.user) == 0);
    assert(strcmp(a.date, b.date) == 0 && strcmp(a.time, b.time) == 0);
    assert(strcmp(a.dest, b.dest) == 0 && strcmp(a.orig, b.orig) == 0);
    assert(a.fmt == b.fmt && b.lrecl == (a.fmt == 'F' || a.fmt == 'V' ? a.lrecl : 0));
    assert(a.fsiz == b.fsiz && a.osiz == b.osiz && a.rest == b.rest);
    assert(a.sec == b.sec && a.ciph == b.ciph && a.comp == b.comp && a.env == b.env);
    assert(a.sign == b.sign && a.descl == b.descl && memcmp(a.desc, b.desc, a.descl) == 0);
    return true;
}

static bool sfpa(struct span oeb, int level, struct err *err)
{
    uint64_t a, b;
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_sfpa(oeb, level, &a, err))
        return false;
    assert(oftp_write_sfpa(&w, level, a, err));
    assert(oftp_read_sfpa(writer_done(&w), level, &b, err) && a == b);
    return true;
}

static bool sfna(struct span oeb, int level, struct err *err)
{
    struct oftp_sfna a, b;
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_sfna(oeb, level, &a, err))
        return false;
    assert(oftp_write_sfna(&w, level, &a, err));
    assert(oftp_read_sfna(writer_done(&w), level, &b, err));
    assert(same_reason(b.reas, a.reas) && a.rrtr == b.rrtr);
    assert(strcmp(a.reast, b.reast) == 0);
    return true;
}

static bool efid(struct span oeb, int level, struct err *err)
{
    struct oftp_efid a, b;
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_efid(oeb, level, &a, err))
        return false;
    assert(oftp_write_efid(&w, level, &a, err));
    assert(oftp_read_efid(writer_done(&w), level, &b, err));
    assert(a.rcnt == b.rcnt && a.ucnt == b.ucnt);
    return true;
}

static bool efpa(struct span oeb, struct err *err)
{
    bool a, b;
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_efpa(oeb, &a, err))
        return false;
    assert(oftp_write_efpa(&w, a, err));
    assert(oftp_read_efpa(writer_done(&w), &b, err) && a == b);
    return true;
}

static bool efna(struct span oeb, int level, struct err *err)
{
    struct oftp_efna a, b;
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_efna(oeb, level, &a, err))
        return false;
    assert(oftp_write_efna(&w, level, &a, err));
    assert(oftp_read_efna(writer_done(&w), level, &b, err));
    assert(same_reason(b.reas, a.reas) && strcmp(a.reast, b.reast) == 0);
    return true;
}

static bool esid(struct span oeb, struct err *err)
{
    struct oftp_esid_command a, b;
    struct writer w = writer_of(again, sizeof(again));
    int level = oeb.n > 4 ? OFTP_20 : OFTP_14;

    if (!oftp_read_esid(oeb, &a, err))
        return false;
    assert(oftp_write_esid(&w, level, &a, err));
    assert(oftp_read_esid(writer_done(&w), &b, err));
    assert(same_reason(b.reas, a.reas) && strcmp(a.reast, b.reast) == 0);
    return true;
}

static bool response(struct span oeb, int level, bool negative, struct err *err)
{
    static struct oftp_response a, b;
    struct writer w = writer_of(again, sizeof(again));

    if (!(negative ? oftp_read_nerp : oftp_read_eerp)(oeb, level, &a, err))
        return false;
    if (!(negative ? oftp_write_nerp : oftp_write_eerp)(&w, level, &a, err)) {
        assert(err->kind == FAIL_LOCAL && w.n == 0);
        assert(*a.dsn == '\0' || *a.dest == '\0' || *a.orig == '\0' ||
               (negative && *a.crea == '\0'));
        return true;
    }
    assert((negative ? oftp_read_nerp : oftp_read_eerp)(writer_done(&w), level, &b, err));
    assert(a.negative == negative && b.negative == negative);
    assert(strcmp(a.dsn, b.dsn) == 0 && strcmp(a.user, b.user) == 0);
    assert(strcmp(a.date, b.date) == 0 && strcmp(a.time, b.time) == 0);
    assert(strcmp(a.dest, b.dest) == 0 && strcmp(a.orig, b.orig) == 0);
    assert(strcmp(a.crea, b.crea) == 0 && same_reason(b.reas, a.reas));
    assert(strcmp(a.reast, b.reast) == 0);
    assert(span_equal(a.hsh, b.hsh) && span_equal(a.sig, b.sig));
    return true;
}

static bool auch(struct span oeb, struct err *err)
{
    struct span a, b;
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_auch(oeb, &a, err))
        return false;
    assert(oftp_write_auch(&w, a, err));
    assert(oftp_read_auch(writer_done(&w), &b, err) && span_equal(a, b));
    return true;
}

static bool aurp(struct span oeb, struct err *err)
{
    uint8_t a[OFTP_CHALLENGE_SIZE], b[OFTP_CHALLENGE_SIZE];
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_aurp(oeb, a, err))
        return false;
    assert(oftp_write_aurp(&w, a, err));
    assert(oftp_read_aurp(writer_done(&w), b, err) && memcmp(a, b, sizeof(a)) == 0);
    return true;
}

static bool bare(struct span oeb, struct err *err)
{
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_bare(oeb, err))
        return false;
    assert(oftp_write_bare(&w, (char)oeb.p[0], err));
    assert(oftp_read_bare(writer_done(&w), err) && again[0] == oeb.p[0]);
    return true;
}

static bool ssrm(struct span oeb, struct err *err)
{
    struct writer w = writer_of(again, sizeof(again));

    if (!oftp_read_ssrm(oeb, err))
        return false;
    assert(oftp_write_ssrm(&w, err) && oftp_read_ssrm(writer_done(&w), err));
    return true;
}

bool reread(struct span oeb, int level, struct err *err)
{
    switch (oeb.n > 0 ? oeb.p[0] : 0) {
    case 'I':
        return ssrm(oeb, err);
    case 'X':
        return ssid(oeb, err);
    case 'H':
        return sfid(oeb, level, err);
    case '2':
        return sfpa(oeb, level, err);
    case '3':
        return sfna(oeb, level, err);
    case 'T':
        return efid(oeb, level, err);
    case '4':
        return efpa(oeb, err);
    case '5':
        return efna(oeb, level, err);
    case 'F':
        return esid(oeb, err);
    case 'E':
        return response(oeb, level, false, err);
    case 'N':
        return response(oeb, level, true, err);
    case 'A':
        return auch(oeb, err);
    case 'S':
        return aurp(oeb, err);
    default:
        return bare(oeb, err);
    }
}
