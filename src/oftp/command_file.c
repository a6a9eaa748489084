/* The commands around one file: SFID, SFPA, SFNA, EFID, EFPA and EFNA. CDT is in
 * command_session.c with the other commands of one octet.
 * RFC 5024 5.3.3 to 5.3.10; levels 1 and 2: RFC 2204 5.3; level 4: the list in RFC 5024 1.2. */
#include "oftp/field_int.h"

bool oftp_counts_records(char fmt, uint8_t env)
{
    return (fmt == 'F' || fmt == 'V') && env == 0;
}

uint64_t oftp_blocks(uint64_t octets)
{
    return octets / OFTP_BLOCK + (octets % OFTP_BLOCK != 0);
}

/* Virtual file names that Odette's guidelines and schema reserve. Their underscores are not in the
 * X alphabet, yet every partner expects them. */
static bool is_reserved_name(const char *dsn)
{
    static const char *const names[] = {
        "ODETTE_CERTIFICATE_REQUEST",
        "ODETTE_CERTIFICATE_DELIVER",
        "ODETTE_CERTIFICATE_REPLACE",
        "OFTP_COMMUNICATION_SETUP",
    };

    for (size_t i = 0; i < COUNT_OF(names); i++) {
        if (strcmp(dsn, names[i]) == 0)
            return true;
    }
    return false;
}

/* What follows SFIDLRECL at level 5. */
static void take_sfid_tail(struct take *t, struct oftp_sfid *v)
{
    struct span desc;

    v->fsiz = take_9(t, "SFIDFSIZ", 13);
    v->osiz = take_9(t, "SFIDOSIZ", 13);
    v->rest = take_9(t, "SFIDREST", 17);
    v->sec = (uint8_t)take_9_within(t, "SFIDSEC", 2, 0, 3, "00, 01, 02 or 03");
    v->ciph = (uint8_t)take_9(t, "SFIDCIPH", 2);
    v->comp = (uint8_t)take_9_within(t, "SFIDCOMP", 1, 0, 1, "0 or 1");
    v->env = (uint8_t)take_9_within(t, "SFIDENV", 1, 0, 1, "0 or 1");
    v->sign = take_yes(t, "SFIDSIGN");
    desc = take_t(t, "SFIDDESC");
    if (desc.n > 0)
        memcpy(v->desc, desc.p, desc.n);
    v->descl = (uint16_t)desc.n;
}

bool oftp_read_sfid(struct span oeb, int level, struct oftp_sfid *c, struct err *err)
{
    struct take t = take_command(oeb, 'H', "SFIDCMD");
    struct oftp_sfid v = { 0 };

    take_x(&t, "SFIDDSN", v.dsn, OFTP_DSN);
    take_reserved(&t, "SFIDRSV1", level >= OFTP_14 ? 3 : 9);
    take_stamp(&t, level, v.date, v.time);
    take_x(&t, "SFIDUSER", v.user, OFTP_PSWD);
    take_x(&t, "SFIDDEST", v.dest, OFTP_CODE);
    take_x(&t, "SFIDORIG", v.orig, OFTP_CODE);
    v.fmt = take_one_of(&t, "SFIDFMT", "FVUT");
    v.lrecl = (uint32_t)take_9(&t, "SFIDLRECL", 5);
    if (level >= OFTP_20) {
        take_sfid_tail(&t, &v);
    } else {
        v.fsiz = take_9(&t, "SFIDFSIZ", 7);
        v.osiz = v.fsiz;
        v.rest = take_9(&t, "SFIDREST", 9);
    }
    if (!take_done(&t, err))
        return false;
    *c = v;
    return true;
}

static void put_sfid_tail(struct put *p, const struct oftp_sfid *c)
{
    put_check(p, c->env == 1 || (c->sec == 0 && c->comp == 0), "SFIDENV",
              "must be 1 for a signed, encrypted or compressed file");
    put_check(p, c->sec <= 3, "SFIDSEC", "is above 03");
    put_check(p, c->comp <= 1, "SFIDCOMP", "is above 1");
    put_check(p, c->env <= 1, "SFIDENV", "is above 1");
    put_check(p, c->descl <= sizeof(c->desc), "SFIDDESC", "is longer than its text");
    put_9(p, "SFIDFSIZ", c->fsiz, 13);
    put_9(p, "SFIDOSIZ", c->osiz, 13);
    put_9(p, "SFIDREST", c->rest, 17);
    put_9(p, "SFIDSEC", c->sec, 2);
    put_9(p, "SFIDCIPH", c->ciph, 2);
    put_9(p, "SFIDCOMP", c->comp, 1);
    put_9(p, "SFIDENV", c->env, 1);
    put_yes(p, c->sign);
    put_t(p, "SFIDDESC", c->desc, c->descl);
}

/* Protection that the level cannot carry is refused, never dropped; description and original size
 * are only dropped. */
static void put_sfid_short_tail(struct put *p, const struct oftp_sfid *c)
{
    put_check(p, c->sec == 0, "a signed or encrypted file", "needs level 5");
    put_check(p, c->comp == 0 && c->env == 0, "a compressed or enveloped file",
              "needs level 5");
    put_check(p, !c->sign, "a request for a signed response", "needs level 5");
    put_9(p, "SFIDFSIZ", c->fsiz, 7);
    put_9(p, "SFIDREST", c->rest, 9);
}

bool oftp_write_sfid(struct writer *w, int level, const struct oftp_sfid *c, struct err *err)
{
    struct put p = put_command(w, 'H');
    bool records = c->fmt == 'F' || c->fmt == 'V';

    put_check(&p, oftp_x_valid(c->dsn, OFTP_DSN) || is_reserved_name(c->dsn), "SFIDDSN",
              "is no virtual file name: 1 to 26 of 0-9 A-Z / - . & ( )");
    put_x(&p, "SFIDDSN", c->dsn, OFTP_DSN);
    put_reserved(&p, level >= OFTP_14 ? 3 : 9);
    put_stamp(&p, level, c->date, c->time);
    put_x(&p, "SFIDUSER", c->user, OFTP_PSWD);
    put_code(&p, "SFIDDEST", c->dest);
    put_code(&p, "SFIDORIG", c->orig);
    put_one_of(&p, "SFIDFMT", c->fmt, "FVUT");
    /* RFC 5024 5.3.3: U and T files carry zero, whatever their source called a record. */
    put_9(&p, "SFIDLRECL", records ? c->lrecl : 0, 5);
    if (level >= OFTP_20)
        put_sfid_tail(&p, c);
    else
        put_sfid_short_tail(&p, c);
    return put_done(&p, err);
}

bool oftp_read_sfpa(struct span oeb, int level, uint64_t *aacnt, struct err *err)
{
    struct take t = take_command(oeb, '2', "SFPACMD");
    uint64_t v = take_9(&t, "SFPAACNT", level >= OFTP_20 ? 17 : 9);

    if (!take_done(&t, err))
        return false;
    *aacnt = v;
    return true;
}

bool oftp_write_sfpa(struct writer *w, int level, uint64_t aacnt, struct err *err)
{
    struct put p = put_command(w, '2');

    put_9(&p, "SFPAACNT", aacnt, level >= OFTP_20 ? 17 : 9);
    return put_done(&p, err);
}

bool oftp_read_sfna(struct span oeb, int level, struct oftp_sfna *c, struct err *err)
{
    struct take t = take_command(oeb, '3', "SFNACMD");
    struct oftp_sfna v = { 0 };

    v.reas = take_reason(&t, "SFNAREAS");
    v.rrtr = take_yes(&t, "SFNARRTR");
    if (level >= OFTP_20 && !take_ended(&t))
        take_text(&t, "SFNAREAST", v.reast);
    if (!take_done(&t, err))
        return false;
    *c = v;
    return true;
}

bool oftp_write_sfna(struct writer *w, int level, const struct oftp_sfna *c, struct err *err)
{
    struct put p = put_command(w, '3');

    put_reason(&p, "SFNAREAS", sfna_for_level(c->reas, level));
    put_yes(&p, c->rrtr);
    if (level >= OFTP_20)
        put_text(&p, "SFNAREAST", c->reast);
    return put_done(&p, err);
}

bool oftp_read_efid(struct span oeb, int level, struct oftp_efid *c, struct err *err)
{
    struct take t = take_command(oeb, 'T', "EFIDCMD");
    struct oftp_efid v = { 0 };

    v.rcnt = take_9(&t, "EFIDRCNT", level >= OFTP_20 ? 17 : 9);
    v.ucnt = take_9(&t, "EFIDUCNT", level >= OFTP_20 ? 17 : 12);
    if (!take_done(&t, err))
        return false;
    *c = v;
    return true;
}

bool oftp_write_efid(struct writer *w, int level, const struct oftp_efid *c, struct err *err)
{
    struct put p = put_command(w, 'T');

    put_9(&p, "EFIDRCNT", c->rcnt, level >= OFTP_20 ? 17 : 9);
    put_9(&p, "EFIDUCNT", c->ucnt, level >= OFTP_20 ? 17 : 12);
    return put_done(&p, err);
}

bool oftp_read_efpa(struct span oeb, bool *cd, struct err *err)
{
    struct take t = take_command(oeb, '4', "EFPACMD");
    bool v = take_yes(&t, "EFPACD");

    if (!take_done(&t, err))
        return false;
    *cd = v;
    return true;
}

bool oftp_write_efpa(struct writer *w, bool cd, struct err *err)
{
    struct put p = put_command(w, '4');

    put_yes(&p, cd);
    return put_done(&p, err);
}

bool oftp_read_efna(struct span oeb, int level, struct oftp_efna *c, struct err *err)
{
    struct take t = take_command(oeb, '5', "EFNACMD");
    struct oftp_efna v = { 0 };

    v.reas = take_reason(&t, "EFNAREAS");
    if (level >= OFTP_20 && !take_ended(&t))
        take_text(&t, "EFNAREAST", v.reast);
    if (!take_done(&t, err))
        return false;
    *c = v;
    return true;
}

bool oftp_write_efna(struct writer *w, int level, const struct oftp_efna *c, struct err *err)
{
    struct put p = put_command(w, '5');

    put_reason(&p, "EFNAREAS", efna_for_level(c->reas, level));
    if (level >= OFTP_20)
        put_text(&p, "EFNAREAST", c->reast);
    return put_done(&p, err);
}
