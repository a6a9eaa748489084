/* End-to-end responses: EERP and NERP. RTR is in command_session.c with the other commands of one
 * octet. RFC 5024 5.3.13 to 5.3.15; levels 1 and 2: RFC 2204 5.3.13. */
#include "oftp/field_int.h"

bool oftp_read_eerp(struct span oeb, int level, struct oftp_response *c, struct err *err)
{
    struct take t = take_command(oeb, 'E', "EERPCMD");
    struct oftp_response v = { 0 };

    take_x(&t, "EERPDSN", v.dsn, OFTP_DSN);
    take_reserved(&t, "EERPRSV1", level >= OFTP_14 ? 3 : 9);
    take_stamp(&t, level, v.date, v.time);
    take_x(&t, "EERPUSER", v.user, OFTP_PSWD);
    take_x(&t, "EERPDEST", v.dest, OFTP_CODE);
    take_x(&t, "EERPORIG", v.orig, OFTP_CODE);
    if (level >= OFTP_20 && !take_ended(&t)) {
        v.hsh = take_u(&t, "EERPHSH");
        v.sig = take_u(&t, "EERPSIG");
    }
    if (!take_done(&t, err))
        return false;
    *c = v;
    return true;
}

bool oftp_read_nerp(struct span oeb, int level, struct oftp_response *c, struct err *err)
{
    struct take t = take_command(oeb, 'N', "NERPCMD");
    struct oftp_response v = { .negative = true };

    if (level < OFTP_14)
        return FAIL(err, FAIL_PEER, ESID_UNKNOWN_COMMAND, "NERP does not exist at level %d",
                    level);
    take_x(&t, "NERPDSN", v.dsn, OFTP_DSN);
    take_reserved(&t, "NERPRSV1", 6);
    take_stamp(&t, level, v.date, v.time);
    take_x(&t, "NERPDEST", v.dest, OFTP_CODE);
    take_x(&t, "NERPORIG", v.orig, OFTP_CODE);
    take_x(&t, "NERPCREA", v.crea, OFTP_CODE);
    v.reas = take_reason(&t, "NERPREAS");
    if (level >= OFTP_20) {
        take_text(&t, "NERPREAST", v.reast);
        v.hsh = take_u(&t, "NERPHSH");
        v.sig = take_u(&t, "NERPSIG");
    }
    if (!take_done(&t, err))
        return false;
    *c = v;
    return true;
}

/* The response must find its file again, so name, codes and user field are echoed as they came,
 * even where the partner left the alphabet. */
static void put_names(struct put *p, const struct oftp_response *c, int level, size_t reserved)
{
    put_check(p, level >= OFTP_20 || (c->hsh.n == 0 && c->sig.n == 0), "a signed response",
              "needs level 5");
    put_check(p, c->dsn[0] != '\0', "the file name", "is empty");
    put_check(p, c->dest[0] != '\0' && c->orig[0] != '\0', "origin or destination", "is empty");
    put_x(p, "the file name", c->dsn, OFTP_DSN);
    put_reserved(p, reserved);
    put_stamp(p, level, c->date, c->time);
}

bool oftp_write_eerp(struct writer *w, int level, const struct oftp_response *c,
                     struct err *err)
{
    struct put p = put_command(w, 'E');

    put_names(&p, c, level, level >= OFTP_14 ? 3 : 9);
    put_x(&p, "EERPUSER", c->user, OFTP_PSWD);
    put_x(&p, "EERPDEST", c->dest, OFTP_CODE);
    put_x(&p, "EERPORIG", c->orig, OFTP_CODE);
    if (level >= OFTP_20) {
        put_u(&p, "EERPHSH", c->hsh);
        put_u(&p, "EERPSIG", c->sig);
    }
    return put_done(&p, err);
}

bool oftp_write_nerp(struct writer *w, int level, const struct oftp_response *c,
                     struct err *err)
{
    struct put p = put_command(w, 'N');

    put_check(&p, level >= OFTP_14, "NERP", "needs level 4");
    put_names(&p, c, level, 6);
    put_x(&p, "NERPDEST", c->dest, OFTP_CODE);
    put_x(&p, "NERPORIG", c->orig, OFTP_CODE);
    put_check(&p, c->crea[0] != '\0', "NERPCREA", "is empty");
    put_x(&p, "NERPCREA", c->crea, OFTP_CODE);
    put_reason(&p, "NERPREAS", nerp_for_level(c->reas, level));
    if (level >= OFTP_20) {
        put_text(&p, "NERPREAST", c->reast);
        put_u(&p, "NERPHSH", c->hsh);
        put_u(&p, "NERPSIG", c->sig);
    }
    return put_done(&p, err);
}
