/* The commands that open, guard and close a session: SSRM, SSID, SECD, AUCH, AURP, ESID and CD.
 * RFC 5024 5.3.1, 5.3.2 and 5.3.11 to 5.3.18. */
#include "oftp/field_int.h"

/* RFC 5024 5.3.1, without its last blank: products leave that away, and the CR. */
static const char ready_message[] = "ODETTE FTP READY";

bool oftp_read_ssrm(struct span oeb, struct err *err)
{
    struct take t = take_command(oeb, 'I', "SSRMCMD");
    char text[sizeof(ready_message)];

    take_x(&t, "SSRMMSG", text, sizeof(ready_message) - 1);
    if (t.name == NULL && strcmp(text, ready_message) != 0)
        return FAIL(err, FAIL_PEER, ESID_INVALID_DATA,
                    "the partner greets with '%s' instead of '%s'", text, ready_message);
    if (t.r.left.n > 0 && t.r.left.p[0] == ' ')
        take_reserved(&t, "SSRMMSG", 1);
    take_cr(&t, "SSRMCR");
    return take_done(&t, err);
}

bool oftp_write_ssrm(struct writer *w, struct err *err)
{
    struct put p = put_command(w, 'I');

    put_x(&p, "SSRMMSG", ready_message, sizeof(ready_message));
    writer_u8(w, '\r');
    return put_done(&p, err);
}

bool oftp_read_ssid(struct span oeb, struct oftp_ssid *c, struct err *err)
{
    struct take t = take_command(oeb, 'X', "SSIDCMD");
    struct oftp_ssid v = { 0 };

    v.lev = (uint8_t)take_9_within(&t, "SSIDLEV", 1, 1, 9, "a protocol level");
    take_x(&t, "SSIDCODE", v.code, OFTP_CODE);
    take_x(&t, "SSIDPSWD", v.pswd, OFTP_PSWD);
    v.sdeb = (uint32_t)take_9_within(&t, "SSIDSDEB", 5, OFTP_SDEB_MIN, OFTP_OEB_MAX,
                                     "a buffer size of 00128 to 99999");
    v.sr = take_one_of(&t, "SSIDSR", "SRB");
    v.cmpr = take_yes(&t, "SSIDCMPR");
    v.rest = take_yes(&t, "SSIDREST");
    v.spec = take_yes(&t, "SSIDSPEC");
    v.cred = (uint16_t)take_9_within(&t, "SSIDCRED", 3, 1, 999, "a credit of 001 to 999");
    if (v.lev >= OFTP_20) {
        v.auth = take_yes(&t, "SSIDAUTH");
        take_reserved(&t, "SSIDRSV1", 4);
    } else {
        take_reserved(&t, "SSIDRSV1", 5);
    }
    take_x(&t, "SSIDUSER", v.user, OFTP_PSWD);
    take_cr(&t, "SSIDCR");
    if (!take_done(&t, err))
        return false;
    *c = v;
    return true;
}

bool oftp_write_ssid(struct writer *w, const struct oftp_ssid *c, struct err *err)
{
    struct put p = put_command(w, 'X');

    put_check(&p,
              c->lev == OFTP_12 || c->lev == OFTP_13 || c->lev == OFTP_14 || c->lev == OFTP_20,
              "SSIDLEV", "is none of 1, 2, 4 and 5");
    put_check(&p, c->sdeb >= OFTP_SDEB_MIN, "SSIDSDEB", "is below 128");
    put_check(&p, c->cred >= 1, "SSIDCRED", "is 0");
    put_check(&p, !c->auth || c->lev >= OFTP_20, "SSIDAUTH", "exists from level 5 on only");
    put_9(&p, "SSIDLEV", c->lev, 1);
    put_code(&p, "SSIDCODE", c->code);
    put_x(&p, "SSIDPSWD", c->pswd, OFTP_PSWD);
    put_9(&p, "SSIDSDEB", c->sdeb, 5);
    put_one_of(&p, "SSIDSR", c->sr, "SRB");
    put_yes(&p, c->cmpr);
    put_yes(&p, c->rest);
    put_yes(&p, c->spec);
    put_9(&p, "SSIDCRED", c->cred, 3);
    if (c->lev >= OFTP_20) {
        put_yes(&p, c->auth);
        put_reserved(&p, 4);
    } else {
        put_reserved(&p, 5);
    }
    put_x(&p, "SSIDUSER", c->user, OFTP_PSWD);
    writer_u8(w, '\r');
    return put_done(&p, err);
}

bool oftp_read_esid(struct span oeb, struct oftp_esid_command *c, struct err *err)
{
    struct take t = take_command(oeb, 'F', "ESIDCMD");
    struct oftp_esid_command v = { 0 };

    v.reas = take_reason(&t, "ESIDREAS");
    /* Up to level 4: the reason and CR. An ESID may come before a level is agreed. */
    if (oeb.n > 4)
        take_text(&t, "ESIDREAST", v.reast);
    take_cr(&t, "ESIDCR");
    if (!take_done(&t, err))
        return false;
    *c = v;
    return true;
}

bool oftp_write_esid(struct writer *w, int level, const struct oftp_esid_command *c,
                     struct err *err)
{
    struct put p = put_command(w, 'F');

    put_reason(&p, "ESIDREAS", esid_for_level(c->reas, level));
    if (level >= OFTP_20)
        put_text(&p, "ESIDREAST", c->reast);
    writer_u8(w, '\r');
    return put_done(&p, err);
}

bool oftp_read_bare(struct span oeb, struct err *err)
{
    /* A CDT without its two blanks is known from products, and what follows is ignored. */
    if (oeb.n == 0)
        return FAIL(err, FAIL_PEER, ESID_SIZE, "the exchange buffer is empty");
    if (oeb.p[0] == '\0' || strchr("RPJC", oeb.p[0]) == NULL)
        return FAIL(err, FAIL_PEER, ESID_INVALID_DATA, "none of CD, RTR, SECD and CDT");
    return true;
}

bool oftp_write_bare(struct writer *w, char command, struct err *err)
{
    struct put p = put_command(w, command);

    put_check(&p, command != '\0' && strchr("RPJC", command) != NULL, "the command",
              "is none of CD, RTR, SECD and CDT");
    if (command == 'C')
        put_reserved(&p, 2);
    return put_done(&p, err);
}

bool oftp_read_auch(struct span oeb, struct span *chal, struct err *err)
{
    struct take t = take_command(oeb, 'A', "AUCHCMD");
    struct span v = take_u(&t, "AUCHCHAL");

    if (!take_done(&t, err))
        return false;
    *chal = v;
    return true;
}

bool oftp_write_auch(struct writer *w, struct span chal, struct err *err)
{
    struct put p = put_command(w, 'A');

    put_u(&p, "AUCHCHAL", chal);
    return put_done(&p, err);
}

bool oftp_read_aurp(struct span oeb, uint8_t rsp[OFTP_CHALLENGE_SIZE], struct err *err)
{
    struct take t = take_command(oeb, 'S', "AURPCMD");
    struct span v = take_octets(&t, "AURPRSP", OFTP_CHALLENGE_SIZE);

    if (!take_done(&t, err))
        return false;
    memcpy(rsp, v.p, OFTP_CHALLENGE_SIZE);
    return true;
}

bool oftp_write_aurp(struct writer *w, const uint8_t rsp[OFTP_CHALLENGE_SIZE], struct err *err)
{
    struct put p = put_command(w, 'S');

    writer_put(w, rsp, OFTP_CHALLENGE_SIZE);
    return put_done(&p, err);
}
