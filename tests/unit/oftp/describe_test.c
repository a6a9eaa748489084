#include "wire.h"

static char line[2000];

static const char *describe(struct span oeb, int level)
{
    oftp_describe(guard_after(oeb.p, oeb.n), level, line, sizeof(line));
    return line;
}

/* Each command names all its fields; passwords and challenges are hidden. */
static void every_command_is_one_line(void **state)
{
    (void)state;
    assert_string_equal(describe(EXAMPLE(ssrm), 0), "SSRM msg=\"ODETTE FTP READY\"");
    assert_string_equal(
        describe(EXAMPLE(ssid_initiator), 0),
        "SSID lev=5 code=O0013000000ALPHA pswd=*** sdeb=4096 sr=B cmpr=Y rest=Y "
        "spec=N cred=32 auth=N user=");
    assert_string_equal(
        describe(EXAMPLE(sfid_secured), OFTP_20),
        "SFID dsn=INVOIC-4711.EDI date=20260131 time=1015300001 user= "
        "dest=O0013000000BETA orig=O0013000000ALPHA fmt=U lrecl=0 fsiz=3 osiz=5 "
        "rest=0 sec=03 ciph=04 comp=1 env=1 sign=Y desc=");
    assert_string_equal(
        describe(EXAMPLE(sfid_14), OFTP_14),
        "SFID dsn=INVOIC-4711.EDI date=20260131 time=1015300001 user= "
        "dest=O0013000000BETA orig=O0013000000ALPHA fmt=U lrecl=0 fsiz=5 rest=0");
    assert_string_equal(
        describe(EXAMPLE(sfid_12), OFTP_13),
        "SFID dsn=INVOIC-4711.EDI date=260131 time=101530 user= "
        "dest=O0013000000BETA orig=O0013000000ALPHA fmt=U lrecl=0 fsiz=5 rest=0");
    assert_string_equal(describe(EXAMPLE(sfna), OFTP_20),
                        "SFNA reas=13 rrtr=N reast=Duplicate");
    assert_string_equal(describe(EXAMPLE(sfpa), OFTP_20), "SFPA acnt=0");
    assert_string_equal(describe(EXAMPLE(efid_f), OFTP_20), "EFID rcnt=3 ucnt=30");
    assert_string_equal(describe(EXAMPLE(efpa_y), OFTP_20), "EFPA cd=Y");
    assert_string_equal(describe(EXAMPLE(efna), OFTP_20), "EFNA reas=11 reast=");
    assert_string_equal(describe(EXAMPLE(esid_02), 0), "ESID reas=02 reast=\"EFID in IDLELI\"");
    assert_string_equal(describe(EXAMPLE(esid_normal_1x), OFTP_20), "ESID reas=00");
    assert_string_equal(describe(EXAMPLE(eerp), OFTP_20),
                        "EERP dsn=INVOIC-4711.EDI date=20260131 time=1015300001 user= "
                        "dest=O0013000000ALPHA orig=O0013000000BETA hsh= sig=(0 octets)");
    assert_string_equal(
        describe(EXAMPLE(nerp), OFTP_20),
        "NERP dsn=INVOIC-4711.EDI date=20260131 time=1015300001 "
        "dest=O0013000000ALPHA orig=O0013000000BETA crea=O0013000000BETA reas=34 "
        "reast=\"Bad syntax\" hsh= sig=(0 octets)");
    assert_string_equal(describe(EXAMPLE(aurp), OFTP_20), "AURP rsp=***");
    assert_string_equal(describe(TEXT("A\0\3xyz"), OFTP_20), "AUCH chal=*** (3 octets)");
    assert_string_equal(describe(EXAMPLE(cd), OFTP_20), "CD");
    assert_string_equal(describe(EXAMPLE(rtr), OFTP_20), "RTR");
    assert_string_equal(describe(EXAMPLE(cdt), OFTP_20), "CDT");
    assert_string_equal(describe(EXAMPLE(secd), OFTP_20), "SECD");
    assert_string_equal(describe(EXAMPLE(data_folded), OFTP_20), "DATA (17 octets)");
}

/* Malformed commands are shown as far as they go. */
static void damage_is_pointed_out(void **state)
{
    (void)state;
    assert_string_equal(describe(TEXT(""), 0), "nothing");
    assert_string_equal(describe(TEXT("Zx"), 0), "unknown command 5a (2 octets)");
    assert_string_equal(describe(TEXT("2000"), OFTP_20), "SFPA (ends inside acnt)");
    assert_string_equal(describe(TEXT("302N"), OFTP_20),
                        "SFNA reas=02 rrtr=N (ends before reast)");
    assert_string_equal(describe(TEXT("302N010abc"), OFTP_20),
                        "SFNA reas=02 rrtr=N (ends inside reast)");
    assert_string_equal(describe(TEXT("302Nx10abc"), OFTP_20),
                        "SFNA reas=02 rrtr=N (ends inside reast)");
    assert_string_equal(describe(TEXT("Rabc"), OFTP_20), "CD (and 3 octets more)");
}

/* No octet of the partner reaches a terminal or a log as it is. */
static void strange_octets_are_escaped(void **state)
{
    (void)state;
    assert_string_equal(describe(TEXT("511005a\"\\\n\xC3"), OFTP_20),
                        "EFNA reas=11 reast=\"a\\x22\\x5c\\x0a\\xc3\"");
    for (int c = 0; c < 256; c++) {
        uint8_t oeb[] = { '3', '0', '2', (uint8_t)c, '0', '0', '1', (uint8_t)c };

        for (const char *p = describe(span_of(oeb, sizeof(oeb)), OFTP_20); *p != '\0'; p++)
            assert_in_range(*p, 0x20, 0x7E);
    }
}

/* The line is cut where the room ends, always with its NUL. */
static void short_room_cuts_the_line(void **state)
{
    const struct span all[] = { EXAMPLE(ssid_initiator), EXAMPLE(sfid_plain), EXAMPLE(nerp) };
    char text[400];

    (void)state;
    for (size_t i = 0; i < COUNT_OF(all); i++) {
        size_t whole = strlen(describe(all[i], OFTP_20));

        for (size_t cap = 1; cap < sizeof(text); cap++) {
            memset(text, 'x', sizeof(text));
            oftp_describe(all[i], OFTP_20, text, cap);
            assert_int_equal(strlen(text), whole < cap ? whole : cap - 1);
            assert_memory_equal(text, line, strlen(text));
        }
    }
    text[0] = 'x';
    oftp_describe(EXAMPLE(cd), OFTP_20, text, 0);
    assert_int_equal(text[0], 'x');
}

/* A password never shows, however the command is cut or damaged. */
static void passwords_stay_hidden(void **state)
{
    struct span s = EXAMPLE(ssid_initiator);

    (void)state;
    for (size_t n = 1; n <= s.n; n++)
        assert_null(strstr(describe(span_of(s.p, n), OFTP_20), "APW"));
    memcpy(wire, s.p, s.n);
    for (size_t i = 1; i < s.n; i++) {
        wire[i] ^= 0x80;
        assert_null(strstr(describe(span_of(wire, s.n), 0), "PW1"));
        wire[i] ^= 0x80;
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(every_command_is_one_line),
        cmocka_unit_test(damage_is_pointed_out),
        cmocka_unit_test(strange_octets_are_escaped),
        cmocka_unit_test(short_room_cuts_the_line),
        cmocka_unit_test(passwords_stay_hidden),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
