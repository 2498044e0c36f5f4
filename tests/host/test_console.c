// SPDX-License-Identifier: MIT
/* links: src/lib/spinlock.c */
/* flags: -pthread */
/*
 * The consoles and how the log comes to them. The sources are included, so that each test begins
 * with none.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/console.c"
#include "lib/log.c"

static bool panicking;

bool panic_is_here(void)
{
    return panicking;
}

/* ---- a console that keeps what it is given --------------------------------------------------- */

enum { SEEN_MAX = 32 << 20 };

struct recorder {
    struct console console;
    char *seen;
    size_t length;
    int flushes;
    jmp_buf *panic_at_stop; /* if set: write up to the first '!', then leave as a panic does */
};

static void recorder_write(struct console *self, const char *text, size_t len)
{
    struct recorder *r = (struct recorder *)self;
    const char *stop = r->panic_at_stop != NULL ? memchr(text, '!', len) : NULL;
    if (stop != NULL)
        len = (size_t)(stop - text);
    assert_true(r->length + len < SEEN_MAX);
    memcpy(r->seen + r->length, text, len);
    r->length += len;
    r->seen[r->length] = '\0';
    if (stop != NULL) {
        jmp_buf *jump = r->panic_at_stop;
        r->panic_at_stop = NULL;
        longjmp(*jump, 1);
    }
}

static void recorder_flush(struct console *self)
{
    ((struct recorder *)self)->flushes++;
}

static struct recorder first, second;

static void clear(struct recorder *r)
{
    r->length = 0;
    r->seen[0] = '\0';
}

static void set_up(struct recorder *r, const char *name)
{
    char *seen = r->seen != NULL ? r->seen : malloc(SEEN_MAX);
    *r = (struct recorder){.console = {.name = name, .write = recorder_write}, .seen = seen};
    clear(r);
}

static int fresh(void **state)
{
    (void)state;
    memset(ring, 0, sizeof(ring));
    atomic_store(&log_head, LOG_SLOTS);
    log_rewind_consoles();
    log_set_console_level(LOG_INFO);
    atomic_store(&consoles, NULL);
    atomic_store(&console_spinlock.taken, 0);
    line_begun = false;
    panicking = false;
    atomic_store(&fake_ticks, 0);
    atomic_store(&fake_tick_step, 0);
    set_up(&first, "first");
    set_up(&second, "second");
    return 0;
}

#define STAMP "[    0.000000] "

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_first_console_gets_all(void **state)
{
    (void)state;
    log_info("one");
    log_drain(); /* to nobody */
    assert_false(log_pending());
    log_info("two");
    console_register(&first.console);
    assert_string_equal(first.seen, STAMP "one\n" STAMP "two\n");
    console_register(&second.console);
    assert_string_equal(second.seen, "");
    log_info("three");
    assert_string_equal(second.seen, "");
    log_drain();
    assert_string_equal(first.seen, STAMP "one\n" STAMP "two\n" STAMP "three\n");
    assert_string_equal(second.seen, STAMP "three\n");
}

static void test_first_console_is_told_what_is_gone(void **state)
{
    (void)state;
    for (int i = 0; i < LOG_SLOTS + 1; i++)
        log_info("line %d", i);
    console_register(&first.console);
    const char want[] = STAMP "513 lines missed\n" STAMP "line 513\n";
    assert_memory_equal(first.seen, want, sizeof(want) - 1);
}

static void test_level(void **state)
{
    (void)state;
    struct log_cursor cursor = {0};
    char buf[64];
    console_register(&first.console);
    log_debug("hidden");
    log_set_console_level(LOG_ERR);
    assert_int_equal(log_console_level(), LOG_ERR);
    log_warn("hidden too");
    log_err("shown");
    log_drain();
    assert_string_equal(first.seen, STAMP "shown\n");
    assert_false(log_pending());
    for (int i = 0; i < 3; i++)
        assert_true(log_read(&cursor, buf, sizeof(buf)) > 0);
    log_set_console_level(LOG_DEBUG);
    log_debug("visible");
    log_drain();
    assert_string_equal(first.seen, STAMP "shown\n" STAMP "visible\n");
}

static void program_writes(const char *text)
{
    console_begin();
    console_put(text, strlen(text));
    console_end();
}

static void test_log_line_after_an_unfinished_one(void **state)
{
    (void)state;
    console_register(&first.console);
    program_writes("$ ");
    log_info("a");
    log_info("b");
    log_drain();
    program_writes("whole\n");
    log_info("c");
    log_drain();
    program_writes("");
    log_info("d");
    log_drain();
    assert_string_equal(first.seen, "$ \n" STAMP "a\n" STAMP "b\nwhole\n" STAMP "c\n" STAMP "d\n");
}

static void test_write_is_not_broken(void **state)
{
    (void)state;
    console_register(&first.console);
    console_begin();
    console_put("begun ", 6);
    log_info("meanwhile");
    log_drain(); /* finds the lock taken */
    assert_string_equal(first.seen, "begun ");
    console_put("ended", 5);
    console_end();
    assert_string_equal(first.seen, "begun ended\n" STAMP "meanwhile\n");
}

static void test_console_line(void **state)
{
    (void)state;
    console_register(&first.console);
    program_writes("no newline");
    log_info("before");
    log_debug("not shown");
    log_set_console_level(LOG_EMERG);
    log_set_console_level(LOG_INFO);
    console_line("init: exited with status %d", 3);
    assert_string_equal(first.seen, "no newline\n" STAMP "before\ninit: exited with status 3\n");

    clear(&first);
    log_set_console_level(LOG_EMERG);
    for (int i = 0; i < 100; i++)
        log_info("not shown");
    console_line("%s", "");
    assert_string_equal(first.seen, "\n");
    assert_false(log_pending());

    clear(&first);
    char *text = malloc(2 * LOG_LINE_MAX);
    memset(text, 'x', 2 * LOG_LINE_MAX);
    text[2 * LOG_LINE_MAX - 1] = '\0';
    console_line("%s", text);
    assert_int_equal(first.length, LOG_LINE_MAX);
    assert_int_equal(first.seen[LOG_LINE_MAX - 1], '\n');
    free(text);
}

static void test_many_lines_and_long_ones(void **state)
{
    (void)state;
    console_register(&first.console);
    char text[LOG_TEXT_MAX];
    memset(text, '\x1b', sizeof(text));
    log_text(LOG_INFO, text, sizeof(text));
    for (int i = 0; i < 10 * DRAIN_LINES; i++)
        log_info("%d", i);
    log_drain(); /* a few only: there is work to do */
    assert_null(strstr(first.seen, "] 159\n"));
    arch_work_begin();
    log_drain();
    assert_memory_equal(first.seen, STAMP "\\x1b\\x1b", strlen(STAMP) + 8);
    const char *rest = first.seen + strlen(STAMP) + 4 * LOG_TEXT_MAX;
    for (int i = 0; i < 10 * DRAIN_LINES; i++) {
        char want[64];
        size_t n = (size_t)sprintf(want, "\n" STAMP "%d", i);
        assert_memory_equal(rest, want, n);
        rest += n;
    }
    assert_string_equal(rest, "\n");
}

static void test_flush(void **state)
{
    (void)state;
    console_flush();
    console_register(&first.console); /* has none */
    second.console.flush = recorder_flush;
    console_register(&second.console);
    console_flush();
    assert_int_equal(second.flushes, 1);
}

/* ---- panic ----------------------------------------------------------------------------------- */

static void test_panic_ignores_the_lock(void **state)
{
    (void)state;
    first.console.flush = recorder_flush;
    console_register(&first.console);
    console_begin();
    console_put("prog", 4);
    atomic_fetch_add(&log_head, ONE_LINE + 1); /* a writer that will not go on */
    panicking = true;
    log_line(LOG_EMERG, "panic: core 0: why");
    log_flush_in_panic();
    assert_string_equal(first.seen, "prog\n" STAMP "1 lines missed\n" STAMP "panic: core 0: why\n");
    assert_int_equal(first.flushes, 1);
    console_begin();
    console_put("still works", 11);
    console_end();
    console_line("so does this");
    assert_string_equal(strstr(first.seen, "still"), "still works\nso does this\n");
}

static void test_panic_within_a_drain_repeats_the_line(void **state)
{
    (void)state;
    jmp_buf env;
    console_register(&first.console);
    log_info("one");
    log_info("two! half");
    first.panic_at_stop = &env;
    if (setjmp(env) == 0) {
        log_drain();
        fail_msg("the drain went through");
    }
    panicking = true;
    log_line(LOG_EMERG, "panic");
    log_flush_in_panic();
    assert_string_equal(first.seen,
                        STAMP "one\n" STAMP "two\n" STAMP "two! half\n" STAMP "panic\n");
}

/* ---- many cores ------------------------------------------------------------------------------ */

enum { CORES = 4, ROUNDS = 5000 };

/* A core logs, drains and writes for a program, over and over; no one drains for it afterwards. */
static void *core(void *arg)
{
    unsigned id = (unsigned)(uintptr_t)arg;
    char text[64];
    fake_cpu = id;
    for (unsigned i = 0; i < ROUNDS; i++) {
        log_info("log %u %u", id, i);
        if (i % 3 == id % 3) {
            console_begin();
            console_put("write ", 6);
            size_t n = (size_t)sprintf(text, "%u %u", id, i);
            console_put(text, n);
            console_put("\n", i % 2); /* every other write ends without a newline */
            console_end();
        } else {
            log_drain();
        }
    }
    return NULL;
}

static void test_many_cores(void **state)
{
    (void)state;
    pthread_t threads[CORES];
    console_register(&first.console);
    for (uintptr_t i = 0; i < CORES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, core, (void *)i), 0);
    for (unsigned i = 0; i < CORES; i++)
        pthread_join(threads[i], NULL);
    assert_false(log_pending()); /* nobody left a line to a core that did not look again */

    unsigned logs[CORES] = {0}, writes = 0, want_writes = 0;
    unsigned long missed = 0;
    for (char *s = first.seen; s < first.seen + first.length;) {
        char *end = strchr(s, '\n');
        if (end == NULL)
            end = first.seen + first.length;
        *end = '\0';
        unsigned id, i;
        unsigned long n;
        char junk;
        /* writes without a newline may follow one another; none is broken by a log line */
        while (sscanf(s, "write %u %u", &id, &i) == 2) {
            writes++;
            char *next = strstr(s + 1, "write ");
            s = next != NULL ? next : end;
        }
        if (s == end) {
            s = end + 1;
            continue;
        }
        if (sscanf(s, STAMP "%lu lines missed%c", &n, &junk) == 1) {
            missed += n;
        } else {
            assert_int_equal(sscanf(s, STAMP "log %u %u%c", &id, &i, &junk), 2);
            assert_true(id < CORES && i >= logs[id] && i < ROUNDS);
            logs[id] = i + 1;
        }
        s = end + 1;
    }
    for (unsigned id = 0; id < CORES; id++) {
        assert_int_equal(logs[id], ROUNDS);
        for (unsigned i = 0; i < ROUNDS; i++)
            want_writes += i % 3 == id % 3;
    }
    assert_int_equal(writes, want_writes);
    print_message("missed %lu\n", missed);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_first_console_gets_all, fresh),
        cmocka_unit_test_setup(test_first_console_is_told_what_is_gone, fresh),
        cmocka_unit_test_setup(test_level, fresh),
        cmocka_unit_test_setup(test_log_line_after_an_unfinished_one, fresh),
        cmocka_unit_test_setup(test_write_is_not_broken, fresh),
        cmocka_unit_test_setup(test_console_line, fresh),
        cmocka_unit_test_setup(test_many_lines_and_long_ones, fresh),
        cmocka_unit_test_setup(test_flush, fresh),
        cmocka_unit_test_setup(test_panic_ignores_the_lock, fresh),
        cmocka_unit_test_setup(test_panic_within_a_drain_repeats_the_line, fresh),
        cmocka_unit_test_setup(test_many_cores, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
