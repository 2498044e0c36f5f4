// SPDX-License-Identifier: MIT
/* links: src/lib/params.c src/lib/text.c */
/* The command line: words, values, what is refused, and what garbage does. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "hostile.h"
#include "lib/params.h"

static struct params params;

/* Parse an exact copy, so that reading beyond the terminator is seen. */
static void parse(const char *line)
{
    uint8_t *copy = exact_copy(line, strlen(line) + 1);
    memset(&params, 0xa5, sizeof(params));
    params_parse((const char *)copy, &params);
    free(copy); /* nothing may point into the caller's line */
}

static void assert_defaults(void)
{
    assert_string_equal(params.init, "/init");
    assert_int_equal(params.init_arg_count, 0);
    assert_false(params.init_args_cut);
    assert_int_equal(params.loglevel, 6);
    assert_int_equal(params.console_count, 0);
    for (int i = 0; i < PARAM_CONSOLE_COUNT; i++)
        assert_int_equal(params.console_baud[i], 115200);
    assert_int_equal(params.maxcpus, 0);
    assert_int_equal(params.apic, PARAM_APIC_AUTO);
    assert_int_equal(params.clock, PARAM_CLOCK_AUTO);
    assert_int_equal(params.init_udelay_us, 10000);
    assert_int_equal(params.watchdog_s, 10);
    assert_int_equal(params.panic, PARAM_PANIC_HALT);
    assert_false(params.debugexit);
    assert_false(params.selftest);
    assert_string_equal(params.selftest_name, "");
    assert_int_equal(cpumask_count(&params.ap_dead), 0);
    assert_false(params.cut);
}

static void test_defaults(void **state)
{
    static const char *const lines[] = {"", " ", "\t \r\n", "--", " -- "};

    (void)state;
    for (size_t i = 0; i < sizeof(lines) / sizeof(lines[0]); i++) {
        parse(lines[i]);
        assert_defaults();
        assert_int_equal(params.problem_count, 0);
    }
}

static void test_all_values(void **state)
{
    (void)state;
    parse("init=/bin/prog loglevel=7 console=ttyS0,9600\tmaxcpus=3\napic=xapic clock=pmtimer "
          "init_udelay=0 debugexit selftest=irq/shared ap_dead=3,1,255 -- one two");
    assert_int_equal(params.problem_count, 0);
    assert_string_equal(params.init, "/bin/prog");
    assert_int_equal(params.loglevel, 7);
    assert_int_equal(params.console_count, 1);
    assert_int_equal(params.consoles[0], PARAM_CONSOLE_TTYS0);
    assert_int_equal(params.console_baud[PARAM_CONSOLE_TTYS0], 9600);
    assert_int_equal(params.maxcpus, 3);
    assert_int_equal(params.apic, PARAM_APIC_XAPIC);
    assert_int_equal(params.clock, PARAM_CLOCK_PMTIMER);
    assert_int_equal(params.init_udelay_us, 0);
    assert_true(params.debugexit);
    assert_true(params.selftest);
    assert_string_equal(params.selftest_name, "irq/shared");
    assert_int_equal(cpumask_count(&params.ap_dead), 3);
    assert_true(cpumask_test(&params.ap_dead, 1));
    assert_true(cpumask_test(&params.ap_dead, 3));
    assert_true(cpumask_test(&params.ap_dead, 255));
    assert_int_equal(params.init_arg_count, 2);
    assert_string_equal(params.init_args[0], "one");
    assert_string_equal(params.init_args[1], "two");
}

static void test_clocks(void **state)
{
    (void)state;
    parse("clock=tsc");
    assert_int_equal(params.clock, PARAM_CLOCK_TSC);
    parse("clock=hpet");
    assert_int_equal(params.clock, PARAM_CLOCK_HPET);
    parse("clock=pit");
    assert_int_equal(params.clock, PARAM_CLOCK_PIT);
    parse("clock=pit clock=auto");
    assert_int_equal(params.clock, PARAM_CLOCK_AUTO);
}

static void test_panic_ends(void **state)
{
    (void)state;
    parse("panic=reboot");
    assert_int_equal(params.panic, PARAM_PANIC_REBOOT);
    parse("panic=off");
    assert_int_equal(params.panic, PARAM_PANIC_OFF);
    parse("panic=off panic=halt");
    assert_int_equal(params.panic, PARAM_PANIC_HALT);
    assert_int_equal(params.problem_count, 0);
}

static void test_later_word_wins(void **state)
{
    (void)state;
    parse("init=/a init=/b loglevel=1 loglevel=0 nosmp maxcpus=8 selftest=x selftest "
          "ap_dead=1 ap_dead=2 console=ttyS0,9600 console=ttyS0");
    assert_int_equal(params.problem_count, 0);
    assert_string_equal(params.init, "/b");
    assert_int_equal(params.loglevel, 0);
    assert_int_equal(params.maxcpus, 8);
    assert_true(params.selftest);
    assert_string_equal(params.selftest_name, "");
    assert_int_equal(params.console_baud[PARAM_CONSOLE_TTYS0], 115200);
    assert_int_equal(cpumask_count(&params.ap_dead), 2);

    parse("maxcpus=8 nosmp");
    assert_int_equal(params.maxcpus, 1);
}

static void test_several_consoles(void **state)
{
    (void)state;
    parse("console=tty0 console=ttyS1,9600 console=ttyS0");
    assert_int_equal(params.problem_count, 0);
    assert_int_equal(params.console_count, 3);
    assert_int_equal(params.consoles[0], PARAM_CONSOLE_TTY0);
    assert_int_equal(params.consoles[1], PARAM_CONSOLE_TTYS1);
    assert_int_equal(params.consoles[2], PARAM_CONSOLE_TTYS0);
    assert_int_equal(params.console_baud[PARAM_CONSOLE_TTYS1], 9600);
    assert_int_equal(params.console_baud[PARAM_CONSOLE_TTYS0], 115200);
    assert_string_equal(params_console_name(params.consoles[1]), "ttyS1");

    parse("console=tty0 console=tty0 console=tty0 console=tty0 console=tty0 console=tty0 "
          "console=tty0 console=tty0 console=ttyS0");
    assert_int_equal(params.console_count, PARAMS_CONSOLES_MAX);
    assert_int_equal(params.problem_count, 1); /* no room: said, not swallowed */
}

static void test_bad_values(void **state)
{
    static const char *const words[] = {
        "init",
        "init=",
        "loglevel",
        "loglevel=",
        "loglevel=8",
        "loglevel=-1",
        "loglevel=6x",
        "loglevel=18446744073709551617",
        "console",
        "console=",
        "console=tty1",
        "console=tty0,9600",
        "console=ttyS2",
        "console=ttyS0,",
        "console=ttyS0,0",
        "console=ttyS0,1",
        "console=ttyS0,115201",
        "console=ttyS0,7",
        "console=ttyS00",
        "console=ttyS0,9600n8",
        "maxcpus",
        "maxcpus=0",
        "maxcpus=4294967296",
        "nosmp=1",
        "nosmp=",
        "apic",
        "apic=",
        "apic=x3apic",
        "apic=XAPIC",
        "clock=",
        "clock=rtc",
        "panic",
        "panic=",
        "panic=30",
        "panic=Halt",
        "init_udelay=1000001",
        "init_udelay=",
        "debugexit=1",
        "selftest=",
        "ap_dead",
        "ap_dead=",
        "ap_dead=0",
        "ap_dead=256",
        "ap_dead=1,",
        "ap_dead=,1",
        "ap_dead=1,,2",
        "ap_dead=1-3",
        "ap_dead=00000000001",
    };

    (void)state;
    for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
        parse(words[i]);
        assert_defaults();
        assert_int_equal(params.problem_count, 1);
        assert_int_equal(params.problems[0].what, PARAM_BAD_VALUE);
        assert_string_equal(params.problems[0].word, words[i]);
    }
}

/* A bad value leaves what an earlier word said. */
static void test_bad_value_keeps_earlier(void **state)
{
    (void)state;
    parse("loglevel=3 loglevel=nine ap_dead=4 ap_dead=5,x");
    assert_int_equal(params.loglevel, 3);
    assert_int_equal(cpumask_count(&params.ap_dead), 1);
    assert_true(cpumask_test(&params.ap_dead, 4));
    assert_int_equal(params.problem_count, 2);
}

static void test_long_values(void **state)
{
    char line[400];

    (void)state;
    strcpy(line, "init=");
    memset(line + 5, 'p', 255);
    line[5 + 255] = '\0';
    parse(line);
    assert_int_equal(params.problem_count, 0);
    assert_int_equal(strlen(params.init), 255);
    strcat(line, "p");
    parse(line);
    assert_int_equal(params.problem_count, 1);
    assert_string_equal(params.init, "/init");

    strcpy(line, "selftest=");
    memset(line + 9, 's', 64);
    line[9 + 63] = '\0';
    parse(line);
    assert_int_equal(params.problem_count, 0);
    assert_int_equal(strlen(params.selftest_name), 63);
    line[9 + 63] = 's';
    line[9 + 64] = '\0';
    parse(line);
    assert_int_equal(params.problem_count, 1);
    assert_false(params.selftest);
}

static void test_watchdog(void **state)
{
    (void)state;
    parse("watchdog=3600");
    assert_int_equal(params.watchdog_s, 3600);
    parse("watchdog=1 watchdog=off");
    assert_int_equal(params.watchdog_s, 0);
    parse("watchdog=2 watchdog=0 watchdog=3601 watchdog= watchdog watchdog=on");
    assert_int_equal(params.watchdog_s, 2);
    assert_int_equal(params.problem_count, 5);
}

static void test_unknown_words_once(void **state)
{
    (void)state;
    parse("quiet panics=off loglevel=5 quiet panics=reboot watchdogs=3 =x loglevelx=1 log=2");
    assert_int_equal(params.loglevel, 5);
    assert_int_equal(params.problem_count, 6);
    assert_string_equal(params.problems[0].word, "quiet");
    assert_int_equal(params.problems[0].what, PARAM_UNKNOWN);
    assert_string_equal(params.problems[1].word, "panics=off");
    assert_string_equal(params.problems[2].word, "watchdogs=3");
    assert_string_equal(params.problems[3].word, "=x");
    assert_string_equal(params.problems[4].word, "loglevelx=1");
    assert_string_equal(params.problems[5].word, "log=2");
}

static void test_many_problems(void **state)
{
    char line[4096] = "";
    char word[16];

    (void)state;
    for (int round = 0; round < 2; round++) {
        for (int i = 0; i < 200; i++) {
            snprintf(word, sizeof(word), "w%d ", i);
            strcat(line, word);
        }
    }
    parse(line);
    assert_int_equal(params.problem_count, 200);
    for (int i = 0; i < PARAMS_PROBLEMS_MAX; i++) {
        snprintf(word, sizeof(word), "w%d", i);
        assert_string_equal(params.problems[i].word, word);
    }
}

static void test_quotes(void **state)
{
    (void)state;
    parse("\"init=/a b\" -- \"one two\" thr\"e \"e \"\" \"--\" -- a\\\"b it\\'s \\\\ c\\d \"open  "
          "end");
    assert_int_equal(params.problem_count, 0);
    assert_string_equal(params.init, "/a b");
    static const char *const expected[] = {"one two", "thre e", "",   "--",   "--",
                                           "a\"b",    "it's",   "\\", "c\\d", "open  end"};
    assert_int_equal(params.init_arg_count, sizeof(expected) / sizeof(expected[0]));
    for (size_t i = 0; i < params.init_arg_count; i++)
        assert_string_equal(params.init_args[i], expected[i]);

    parse("-- \\");
    assert_int_equal(params.init_arg_count, 1);
    assert_string_equal(params.init_args[0], "\\");
}

static void test_argument_limit(void **state)
{
    char line[512] = "--";

    (void)state;
    for (int i = 0; i < PARAMS_ARGS_MAX; i++)
        strcat(line, " a");
    parse(line);
    assert_int_equal(params.init_arg_count, PARAMS_ARGS_MAX);
    assert_false(params.init_args_cut);
    strcat(line, " b");
    parse(line);
    assert_int_equal(params.init_arg_count, PARAMS_ARGS_MAX);
    assert_true(params.init_args_cut);
    assert_string_equal(params.init_args[PARAMS_ARGS_MAX - 1], "a");
}

static void test_overlong_line(void **state)
{
    static char line[3 * PARAMS_TEXT_MAX];

    (void)state;
    for (size_t length = PARAMS_TEXT_MAX - 6; length < PARAMS_TEXT_MAX + 8; length++) {
        memset(line, ' ', length);
        memcpy(line, "loglevel=4", 10);
        memcpy(line + PARAMS_TEXT_MAX - 15, "maxcpus=", 8);
        memset(line + PARAMS_TEXT_MAX - 7, '1', length - (PARAMS_TEXT_MAX - 7));
        line[length] = '\0';
        parse(line);
        bool cut = length >= PARAMS_TEXT_MAX;
        assert_int_equal(params.cut, cut);
        assert_int_equal(params.loglevel, 4);
        /* half a number must not be taken for the number */
        if (cut)
            assert_int_equal(params.maxcpus, 0);
        else
            assert_int_not_equal(params.maxcpus, 0);
    }

    memset(line, 'x', sizeof(line) - 1);
    parse(line);
    assert_true(params.cut);
    assert_int_equal(params.problem_count, 0);

    memset(line, '"', sizeof(line) - 1);
    parse(line);
    assert_true(params.cut);
}

static bool inside_text(const char *word)
{
    return word >= params.text && word < params.text + sizeof(params.text) &&
           memchr(word, '\0', (size_t)(params.text + sizeof(params.text) - word)) != NULL;
}

static void assert_sane(void)
{
    assert_non_null(memchr(params.init, '\0', sizeof(params.init)));
    assert_true(params.init[0] != '\0');
    assert_in_range(params.loglevel, 0, 7);
    assert_in_range(params.console_count, 0, PARAMS_CONSOLES_MAX);
    for (size_t i = 0; i < params.console_count; i++)
        assert_in_range(params.consoles[i], 0, PARAM_CONSOLE_COUNT - 1);
    for (int i = 0; i < PARAM_CONSOLE_COUNT; i++)
        assert_in_range(params.console_baud[i], 2, 115200);
    assert_in_range(params.init_udelay_us, 0, 1000000);
    assert_in_range(params.init_arg_count, 0, PARAMS_ARGS_MAX);
    assert_true(params.apic <= PARAM_APIC_XAPIC);
    assert_true(params.clock <= PARAM_CLOCK_PIT);
    assert_true(params.panic <= PARAM_PANIC_OFF);
    assert_false(cpumask_test(&params.ap_dead, 0));
    for (size_t i = 0; i < params.init_arg_count; i++)
        assert_true(inside_text(params.init_args[i]));
    for (size_t i = 0; i < params.problem_count && i < PARAMS_PROBLEMS_MAX; i++)
        assert_true(inside_text(params.problems[i].word));
}

/* Random lines made of the pieces that mean something. */
static void test_random_lines(void **state)
{
    static const char *const pieces[] = {
        " ",         "  ",       "\t",       "\"",     "\\",        "'",        "=",
        ",",         "--",       " -- ",     "init=",  "loglevel=", "console=", "ttyS0",
        "maxcpus=",  "nosmp",    "apic=",    "xapic",  "clock=",    "pit",      "init_udelay=",
        "debugexit", "selftest", "ap_dead=", "panic=", "reboot",    "0",        "1",
        "9",         "255",      "x",        "\xff",   "\n",
    };
    static char line[2 * PARAMS_TEXT_MAX];
    uint64_t seed = 0x51a7e;

    (void)state;
    for (int round = 0; round < 20000; round++) {
        size_t limit = round % 100 == 0 ? sizeof(line) - 16 : 1 + random_below(&seed, 200);
        size_t used = 0;
        while (used < limit) {
            const char *piece = pieces[random_below(&seed, sizeof(pieces) / sizeof(pieces[0]))];
            strcpy(line + used, piece);
            used += strlen(piece);
        }
        parse(line);
        assert_sane();
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_defaults),        cmocka_unit_test(test_all_values),
        cmocka_unit_test(test_panic_ends),      cmocka_unit_test(test_clocks),
        cmocka_unit_test(test_later_word_wins), cmocka_unit_test(test_several_consoles),
        cmocka_unit_test(test_bad_values),      cmocka_unit_test(test_bad_value_keeps_earlier),
        cmocka_unit_test(test_long_values),     cmocka_unit_test(test_unknown_words_once),
        cmocka_unit_test(test_many_problems),   cmocka_unit_test(test_quotes),
        cmocka_unit_test(test_argument_limit),  cmocka_unit_test(test_overlong_line),
        cmocka_unit_test(test_watchdog),        cmocka_unit_test(test_random_lines),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
