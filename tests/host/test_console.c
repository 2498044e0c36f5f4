// SPDX-License-Identifier: MIT
/* links: src/lib/spinlock.c */
/* flags: -pthread */
/*
 * The consoles and how the log comes to them. The sources are included, so that each test begins
 * with none.
 */
#include <pthread.h>
#include <sched.h>
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
    atomic_store(&shown_by_all, 0);
    log_set_console_level(LOG_INFO);
    atomic_store(&console_list, NULL);
    atomic_store(&console_spinlock.taken, 0);
    atomic_store(&waiters, 0);
    selected_count = 0;
    console_select("first");
    console_select("second");
    panicking = false;
    atomic_store(&fake_ticks, 0);
    atomic_store(&fake_tick_step, 0);
    set_up(&first, "first");
    set_up(&second, "second");
    return 0;
}

#define STAMP "[    0.000000] "

/* ---- tests ----------------------------------------------------------------------------------- */

static void test_each_console_gets_all(void **state)
{
    (void)state;
    log_info("one");
    log_drain(); /* to nobody */
    assert_false(log_pending());
    log_info("two");
    console_register(&first.console);
    assert_string_equal(first.seen, STAMP "one\n" STAMP "two\n");
    console_register(&second.console);
    assert_string_equal(second.seen, first.seen);
    log_info("three");
    assert_string_equal(second.seen, STAMP "one\n" STAMP "two\n");
    log_drain();
    assert_string_equal(first.seen, STAMP "one\n" STAMP "two\n" STAMP "three\n");
    assert_string_equal(second.seen, first.seen);
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
    console_hold(&first.console);
    assert_int_equal(console_put(&first.console, text, strlen(text)), strlen(text));
    console_release(&first.console);
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
    console_hold(&first.console);
    console_put(&first.console, "begun ", 6);
    log_info("meanwhile");
    log_drain(); /* finds the console held */
    assert_string_equal(first.seen, "begun ");
    console_put(&first.console, "ended", 5);
    console_release(&first.console);
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
    while (log_pending()) {
        arch_work_begin();
        log_drain();
    }
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

/* As another core does that logs as fast as lines are shown. */
static void write_and_log_another(struct console *self, const char *text, size_t len)
{
    recorder_write(self, text, len);
    log_info("another");
    arch_work_begin(); /* the work is the other core's */
}

static void test_a_flood_does_not_hold_who_drains(void **state)
{
    (void)state;
    console_register(&first.console);
    log_info("one");
    arch_work_begin();
    first.console.write = write_and_log_another;
    log_drain();
    assert_true(log_pending());
    assert_true(arch_work_due()); /* what is left is not forgotten */
}

static uint64_t line_takes_ns;

/* As another core does that wants the consoles while a line is shown. */
static void write_and_want(struct console *self, const char *text, size_t len)
{
    recorder_write(self, text, len);
    atomic_store(&waiters, 1);
    atomic_fetch_add(&fake_ticks, line_takes_ns);
}

static void test_who_waits_is_let_in(void **state)
{
    (void)state;
    console_register(&first.console);
    first.console.write = write_and_want;
    line_takes_ns = HOLD_NS / 4;
    log_info("one");
    log_info("two");
    log_drain();
    assert_string_equal(first.seen, STAMP "one\n" STAMP "two\n"); /* that is soon enough */

    clear(&first);
    atomic_store(&fake_ticks, 0);
    line_takes_ns = HOLD_NS + 1;
    log_info("one");
    log_info("two");
    log_drain();
    assert_string_equal(first.seen, STAMP "one\n");
    assert_true(log_pending());

    log_drain(); /* as it does when it has been in */
    assert_string_equal(first.seen, STAMP "one\n" STAMP "two\n");
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
    console_hold(&first.console);
    console_put(&first.console, "prog", 4);
    atomic_fetch_add(&log_head, ONE_LINE + 1); /* a writer that will not go on */
    panicking = true;
    log_line(LOG_EMERG, "panic: core 0: why");
    log_flush_in_panic();
    assert_string_equal(first.seen, "prog\n" STAMP "1 lines missed\n" STAMP "panic: core 0: why\n");
    assert_int_equal(first.flushes, 1);
    console_hold(&first.console);
    console_put(&first.console, "still works", 11);
    console_release(&first.console);
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

static pthread_mutex_t writers = PTHREAD_MUTEX_INITIALIZER;

static void put_all(const char *text, size_t len)
{
    for (size_t done = 0; done < len; sched_yield())
        done += console_put(&first.console, text + done, len - done);
}

/* As a core does on its way back to ring 3. */
static void do_work(void)
{
    while (arch_work_due()) {
        arch_work_begin();
        log_drain();
    }
}

/* A core logs, drains and writes for a program, over and over; no other drains for it later. */
static void *core(void *arg)
{
    unsigned id = (unsigned)(uintptr_t)arg;
    char text[64];
    fake_cpu = id;
    for (unsigned i = 0; i < ROUNDS; i++) {
        log_info("log %u %u", id, i);
        if (i % 3 == id % 3) {
            pthread_mutex_lock(&writers);
            console_hold(&first.console);
            put_all("write ", 6);
            size_t n = (size_t)sprintf(text, "%u %u", id, i);
            put_all(text, n);
            put_all("\n", i % 2); /* every other write ends without a newline */
            console_release(&first.console);
            pthread_mutex_unlock(&writers);
        } else {
            log_drain();
        }
    }
    do_work();
    return NULL;
}

static void run_cores(void)
{
    pthread_t threads[CORES];
    for (uintptr_t i = 0; i < CORES; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, core, (void *)i), 0);
    for (unsigned i = 0; i < CORES; i++)
        pthread_join(threads[i], NULL);
}

static void check_all_is_seen(void)
{
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

static void test_many_cores(void **state)
{
    (void)state;
    console_register(&first.console);
    run_cores();
    assert_false(log_pending()); /* nobody left a line to a core that did not look again */
    check_all_is_seen();
}

/* ---- a device that is slower than they ------------------------------------------------------- */

enum { ROOM = 256, LOW = 128, DEVICE_CORE = CORES };

static struct {
    pthread_mutex_t lock;
    char bytes[ROOM];
    size_t count;
    bool wanted;
    atomic_bool stop;
} device = {.lock = PTHREAD_MUTEX_INITIALIZER};

static size_t device_put(struct console *self, const char *text, size_t len)
{
    (void)self;
    pthread_mutex_lock(&device.lock);
    size_t room = ROOM - device.count, taken = len < room ? len : room;
    memcpy(device.bytes + device.count, text, taken);
    device.count += taken;
    device.wanted |= taken < len;
    pthread_mutex_unlock(&device.lock);
    return taken;
}

static bool device_is_ready(struct console *self, size_t len)
{
    (void)self;
    pthread_mutex_lock(&device.lock);
    bool ready = ROOM - device.count >= len;
    device.wanted |= !ready;
    pthread_mutex_unlock(&device.lock);
    return ready;
}

static void device_write(struct console *self, const char *text, size_t len)
{
    for (size_t done = 0; done < len; sched_yield())
        done += device_put(self, text + done, len - done);
}

/* A few bytes leave the machine. Returns: shall who waits be told? */
static bool device_sends(void)
{
    pthread_mutex_lock(&device.lock);
    size_t n = device.count < 16 ? device.count : 16;
    recorder_write(&first.console, device.bytes, n);
    device.count -= n;
    memmove(device.bytes, device.bytes + n, device.count);
    bool tell = device.wanted && device.count <= LOW;
    device.wanted &= !tell;
    pthread_mutex_unlock(&device.lock);
    return tell;
}

/* The core that takes the device's interrupts, and does its work only when it was told of some. */
static void *device_core(void *arg)
{
    (void)arg;
    fake_cpu = DEVICE_CORE;
    while (!atomic_load(&device.stop) || device.count > 0 || device.wanted) {
        if (device_sends())
            console_has_room(&first.console);
        do_work();
        sched_yield();
    }
    return NULL;
}

static void test_slow_device(void **state)
{
    (void)state;
    pthread_t thread;
    first.console.write = device_write;
    first.console.put = device_put;
    first.console.is_ready = device_is_ready;
    console_register(&first.console);
    atomic_store(&device.stop, false);
    assert_int_equal(pthread_create(&thread, NULL, device_core, NULL), 0);
    run_cores();
    atomic_store(&device.stop, true);
    pthread_join(thread, NULL);
    assert_true(all_have_shown()); /* no line waits for somebody who does not come */
    check_all_is_seen();
}

/* Who writes next gives the log its turn. */
static void test_log_has_its_turn(void **state)
{
    (void)state;
    first.console.write = device_write;
    first.console.put = device_put;
    first.console.is_ready = device_is_ready;
    console_register(&first.console);
    char text[ROOM];
    memset(text, 'x', sizeof(text));
    assert_true(console_try_hold(&first.console));
    assert_int_equal(console_put(&first.console, text, sizeof(text)), sizeof(text));
    log_info("waits");
    console_release(&first.console);
    assert_true(log_pending());
    assert_false(any_pending(PENDING_READY)); /* somebody else will see to it */
    assert_false(console_try_hold(&first.console));
    arch_work_begin();
    while (!device_sends())
        continue;
    console_has_room(&first.console);
    assert_true(arch_work_due());
    log_drain();
    assert_true(all_have_shown());
    assert_true(console_try_hold(&first.console));
    console_release(&first.console);
    while (device.count > 0)
        (void)device_sends();
    assert_string_equal(first.seen + ROOM, "\n" STAMP "waits\n");
}

/* ---- which console --------------------------------------------------------------------------- */

static void test_selection(void **state)
{
    (void)state;
    selected_count = 0;
    assert_null(console_preferred());
    first.console.name = "tty0";
    second.console.name = "ttyS1";
    log_info("a line");
    console_register(&second.console);
    assert_string_equal(second.seen, ""); /* not a default one, */
    assert_ptr_equal(console_preferred(), &second.console);
    console_selection_ends();
    assert_string_equal(second.seen, STAMP "a line\n"); /* but better than none */
    console_register(&first.console);
    assert_string_equal(first.seen, STAMP "a line\n");
    assert_ptr_equal(console_preferred(), &first.console);
    console_select("tty0");
    console_select("ttyS1");
    console_select("ttyS7");
    assert_ptr_equal(console_preferred(), &second.console); /* the last one that is there */
    assert_ptr_equal(console_find("tty0"), &first.console);
    assert_null(console_find("tty"));
}

/* What takes no log gets the kernel's own lines, and a panic from its beginning. */
static void test_panic_goes_to_all(void **state)
{
    (void)state;
    selected_count = 1; /* the first */
    console_register(&first.console);
    console_register(&second.console);
    log_info("to one");
    log_drain();
    console_line("to both");
    assert_string_equal(second.seen, "to both\n");
    panicking = true;
    atomic_store(&console_spinlock.taken, 0);
    assert_true(console_claim_in_panic());
    assert_true(console_wanted()); /* who drained would have let it in */
    log_line(LOG_EMERG, "panic");
    log_flush_in_panic();
    assert_string_equal(second.seen, "to both\n" STAMP "panic\n");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_each_console_gets_all, fresh),
        cmocka_unit_test_setup(test_first_console_is_told_what_is_gone, fresh),
        cmocka_unit_test_setup(test_level, fresh),
        cmocka_unit_test_setup(test_log_line_after_an_unfinished_one, fresh),
        cmocka_unit_test_setup(test_write_is_not_broken, fresh),
        cmocka_unit_test_setup(test_console_line, fresh),
        cmocka_unit_test_setup(test_many_lines_and_long_ones, fresh),
        cmocka_unit_test_setup(test_a_flood_does_not_hold_who_drains, fresh),
        cmocka_unit_test_setup(test_who_waits_is_let_in, fresh),
        cmocka_unit_test_setup(test_flush, fresh),
        cmocka_unit_test_setup(test_panic_ignores_the_lock, fresh),
        cmocka_unit_test_setup(test_panic_within_a_drain_repeats_the_line, fresh),
        cmocka_unit_test_setup(test_many_cores, fresh),
        cmocka_unit_test_setup(test_slow_device, fresh),
        cmocka_unit_test_setup(test_log_has_its_turn, fresh),
        cmocka_unit_test_setup(test_selection, fresh),
        cmocka_unit_test_setup(test_panic_goes_to_all, fresh),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
