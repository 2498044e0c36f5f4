// SPDX-License-Identifier: MIT
/* links: src/lib/console.c src/lib/spinlock.c */
/* flags: -pthread */
/*
 * The log's ring. The source itself is included, so that a test can stop a writer between two of
 * its steps and set the position where it likes.
 */
#include <pthread.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "lib/log.c"
#include "lib/panic.h"

static bool panicking;

bool panic_is_here(void)
{
    return panicking;
}

/* A console that shows nothing. */
static void show_nothing(struct console *self, const char *text, size_t len)
{
    (void)self, (void)text, (void)len;
}

static struct console silent = {.name = "silent", .write = show_nothing};

/* An empty log, as it is when `head` is the claim word of the next line. */
static void reset_log(uint64_t head)
{
    memset(ring, 0, sizeof(ring));
    atomic_store(&log_head, head);
    if (console_first() == NULL) {
        console_select("silent");
        console_register(&silent);
    }
    move_to(&silent, log_end());
    atomic_store(&fake_ticks, 0);
    panicking = false;
}

static int fresh_log(void **state)
{
    (void)state;
    reset_log(LOG_SLOTS);
    return 0;
}

static char line[LOG_FORMATTED_MAX + 1];

/* The next line as a string without its stamp: "<6>text\n"; "" at the end of the log. */
static const char *next_line(struct log_cursor *cursor)
{
    long n = log_read(cursor, line, LOG_FORMATTED_MAX);
    assert_in_range(n, 0, LOG_FORMATTED_MAX);
    line[n] = '\0';
    if (n == 0)
        return line;
    assert_int_equal(line[0], '<');
    assert_int_equal(line[3], '[');
    assert_int_equal(line[n - 1], '\n');
    char *text = strstr(line, "] ");
    assert_non_null(text);
    memmove(line + 3, text + 2, strlen(text + 2) + 1);
    return line;
}

/* ---- one writer, one reader ------------------------------------------------------------------ */

static void test_form_of_a_line(void **state)
{
    (void)state;
    struct log_cursor cursor = {0};
    char buf[64];
    assert_int_equal(log_read(&cursor, buf, sizeof(buf)), 0);

    atomic_store(&fake_ticks, UINT64_C(1234567890));
    log_info("core %u says %s", 3U, "hello");
    long n = log_read(&cursor, buf, sizeof(buf));
    buf[n] = '\0';
    assert_string_equal(buf, "<6>[    1.234567] core 3 says hello\n");
    assert_int_equal(log_read(&cursor, buf, sizeof(buf)), 0);

    atomic_store(&fake_ticks, UINT64_MAX);
    log_err("late");
    n = log_read(&cursor, buf, sizeof(buf));
    buf[n] = '\0';
    assert_string_equal(buf, "<3>[18446744073.709551] late\n");
}

static void test_levels(void **state)
{
    (void)state;
    struct log_cursor cursor = {0};
    log_line(LOG_EMERG, "a");
    log_line(LOG_DEBUG, "b");
    log_line((enum log_level)8, "c");
    log_line((enum log_level) - 1, "d");
    assert_string_equal(next_line(&cursor), "<0>a\n");
    assert_string_equal(next_line(&cursor), "<7>b\n");
    assert_string_equal(next_line(&cursor), "<7>c\n");
    assert_string_equal(next_line(&cursor), "<7>d\n");
}

static void test_escapes(void **state)
{
    (void)state;
    struct log_cursor cursor = {0};
    log_line(LOG_INFO, "%s", "a\tb\nc\x7f\x1b[0m");
    assert_string_equal(next_line(&cursor), "<6>a\\x09b\\x0ac\\x7f\\x1b[0m\n");

    for (int c = 0; c < 256; c++) {
        char byte = (char)c, want[16];
        log_text(LOG_INFO, &byte, 1);
        if (c == '\n')
            snprintf(want, sizeof(want), "<6>\n");
        else if (c < 0x20 || c == 0x7f)
            snprintf(want, sizeof(want), "<6>\\x%02x\n", (unsigned)c);
        else
            snprintf(want, sizeof(want), "<6>%c\n", byte);
        assert_string_equal(next_line(&cursor), want);
    }
}

static void test_line_is_cut(void **state)
{
    (void)state;
    struct log_cursor cursor = {0};
    char text[2 * LOG_LINE_MAX];
    memset(text, 'x', sizeof(text));
    text[sizeof(text) - 1] = '\0';
    log_line(LOG_INFO, "%s", text);
    assert_int_equal(strlen(next_line(&cursor)), 3 + LOG_LINE_MAX - 1 + 1);
}

static void test_text_becomes_lines(void **state)
{
    (void)state;
    struct log_cursor cursor = {0};
    log_text(LOG_INFO, "", 0);
    log_text(LOG_INFO, "one", 3);
    log_text(LOG_INFO, "two\n", 4);
    log_text(LOG_INFO, "three\n\nfour", 11);
    log_text(LOG_INFO, "\n", 1);
    log_text(LOG_INFO, "\nfive\n\n", 7);
    log_text(LOG_INFO, "cut here", 3);
    static const char *const want[] = {"<6>one\n", "<6>two\n", "<6>three\n", "<6>\n", "<6>four\n",
                                       "<6>\n",    "<6>\n",    "<6>five\n",  "<6>\n", "<6>cut\n",
                                       ""};
    for (size_t i = 0; i < sizeof(want) / sizeof(want[0]); i++)
        assert_string_equal(next_line(&cursor), want[i]);
}

/* Every length up to a few slots, plain and with escapes that straddle the slots' borders. */
static void test_every_length(void **state)
{
    (void)state;
    struct log_cursor cursor = log_end();
    char text[4 * FRAGMENT_MAX], want[4 * sizeof(text) + 8];
    for (size_t len = 1; len <= sizeof(text); len++) {
        size_t n = (size_t)sprintf(want, "<6>");
        for (size_t i = 0; i < len; i++) {
            text[i] = (i + len) % 7 == 0 ? '\x01' : (char)('a' + (i + len) % 26);
            n += (size_t)sprintf(want + n, text[i] == '\x01' ? "\\x01" : "%c", text[i]);
        }
        strcpy(want + n, "\n");
        log_text(LOG_INFO, text, len);
        assert_string_equal(next_line(&cursor), want);
    }
}

static void test_longest_line(void **state)
{
    (void)state;
    struct log_cursor cursor = log_end();
    char *text = malloc(LOG_TEXT_MAX);
    for (int i = 0; i < 100; i++) { /* several laps */
        memset(text, i % 9 + 1, LOG_TEXT_MAX);
        log_text(LOG_INFO, text, LOG_TEXT_MAX);
        const char *got = next_line(&cursor);
        assert_int_equal(strlen(got), 3 + 4 * LOG_TEXT_MAX + 1);
        for (int j = 0; j < LOG_TEXT_MAX; j++) {
            const char want[] = {'\\', 'x', '0', (char)('0' + i % 9 + 1)};
            assert_memory_equal(got + 3 + 4 * j, want, 4);
        }
    }
    /* a length that no caller may give is cut, not trusted */
    char *large = calloc(1, 2 * LOG_TEXT_MAX);
    log_text(LOG_INFO, large, 2 * LOG_TEXT_MAX);
    assert_int_equal(strlen(next_line(&cursor)), 3 + 4 * LOG_TEXT_MAX + 1);
    assert_string_equal(next_line(&cursor), "");
    free(large);
    free(text);
}

static void test_too_small_a_buffer(void **state)
{
    (void)state;
    struct log_cursor cursor = log_end(), before = cursor;
    char text[300];
    memset(text, 'y', sizeof(text));
    log_text(LOG_INFO, text, sizeof(text));
    size_t need = strlen("<6>[    0.000000] ") + sizeof(text) + 1;
    for (size_t size = 0; size < need; size++) {
        char *buf = malloc(size + 1);
        assert_int_equal(log_read(&cursor, buf, size), -EMSGSIZE);
        assert_memory_equal(&cursor, &before, sizeof(cursor));
        free(buf);
    }
    char *buf = malloc(need);
    assert_int_equal(log_read(&cursor, buf, need), (long)need);
    assert_int_equal(log_read(&cursor, buf, need), 0);
    free(buf);
}

/* ---- overtaken readers ----------------------------------------------------------------------- */

/* Read to the end. Returns: lines read; adds those reported missing to *missed. */
static unsigned long read_all(struct log_cursor *cursor, unsigned long *missed)
{
    unsigned long count = 0;
    for (const char *s = next_line(cursor); *s != '\0'; s = next_line(cursor)) {
        unsigned long n;
        char newline;
        if (sscanf(s, "<4>%lu lines missed%c", &n, &newline) == 2)
            *missed += n;
        else
            count++;
    }
    return count;
}

static void test_overtaken(void **state)
{
    (void)state;
    for (unsigned long written = LOG_SLOTS - 2; written < LOG_SLOTS + 10; written++) {
        struct log_cursor cursor = log_end();
        unsigned long missed = 0;
        for (unsigned long i = 0; i < written; i++)
            log_info("line %lu", i);
        unsigned long read = read_all(&cursor, &missed);
        assert_int_equal(read + missed, written);
        if (written <= LOG_SLOTS)
            assert_int_equal(missed, 0);
        else
            assert_in_range(missed, written - LOG_SLOTS, written - LOG_SLOTS + RESTART_LEAD);
    }
}

static void test_overtaken_by_long_lines(void **state)
{
    (void)state;
    struct log_cursor cursor = log_end();
    char text[1000];
    memset(text, 'z', sizeof(text));
    unsigned long missed = 0;
    for (int i = 0; i < 5000; i++)
        log_text(LOG_INFO, text, (size_t)(i % 1000) + 1);
    unsigned long read = read_all(&cursor, &missed);
    assert_true(missed > 0);
    assert_int_equal(read + missed, 5000);
}

static void test_missed_report_is_stamped_and_needs_room(void **state)
{
    (void)state;
    struct log_cursor cursor = log_end();
    atomic_store(&fake_tick_step, 0);
    atomic_store(&fake_ticks, UINT64_C(5000000000));
    for (int i = 0; i < 2 * LOG_SLOTS; i++)
        log_info("x");
    atomic_store(&fake_tick_step, 1000);
    char buf[64];
    struct log_cursor before = cursor;
    assert_int_equal(log_read(&cursor, buf, 20), -EMSGSIZE);
    assert_memory_equal(&cursor, &before, sizeof(cursor));
    long n = log_read(&cursor, buf, sizeof(buf));
    buf[n] = '\0';
    assert_string_equal(buf, "<4>[    5.000000] 4608 lines missed\n");
}

static void test_fresh_reader_of_a_full_ring(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * LOG_SLOTS; i++)
        log_info("line %d", i);
    struct log_cursor cursor = {0};
    unsigned long missed = 0;
    assert_string_equal(next_line(&cursor), "<6>line 8192\n");
    assert_int_equal(read_all(&cursor, &missed), LOG_SLOTS - 1);
    assert_int_equal(missed, 0);
}

/* ---- writers stopped between two steps ------------------------------------------------------- */

/* A line of `len` times 's' that is claimed and whose first `taken` slots are taken, no more. */
struct slow_line {
    uint64_t claim;
    size_t len;
};

static struct slow_line slow_begin(size_t len, size_t taken)
{
    struct slow_line slow = {.len = len};
    slow.claim = atomic_fetch_add(&log_head, ONE_LINE + slots_for(len));
    for (size_t i = 0; i < taken; i++) {
        uint64_t position = position_add(slow.claim, i);
        assert_true(take_slot(slot_of(position), position));
    }
    return slow;
}

static void slow_finish(struct slow_line slow, size_t index)
{
    struct fragment fragment;
    uint64_t position = position_add(slow.claim, index);
    memset(fragment.text, 's', sizeof(fragment.text));
    fragment.ticks = 0;
    fragment.about = about_encode(slow.claim, index, LOG_INFO, slow.len);
    fill_slot(slot_of(position), &fragment);
    publish(slot_of(position), position);
}

static void test_reader_waits_for_the_unfinished(void **state)
{
    (void)state;
    struct log_cursor cursor = log_end();
    log_info("before");
    struct slow_line taken = slow_begin(5, 1);
    struct slow_line claimed = slow_begin(6, 0);
    log_info("after");
    assert_string_equal(next_line(&cursor), "<6>before\n");
    assert_string_equal(next_line(&cursor), "");
    slow_finish(taken, 0);
    assert_string_equal(next_line(&cursor), "<6>sssss\n");
    assert_string_equal(next_line(&cursor), "");
    assert_true(take_slot(slot_of(claimed.claim), claimed.claim & POSITION_MASK));
    slow_finish(claimed, 0);
    assert_string_equal(next_line(&cursor), "<6>ssssss\n");
    assert_string_equal(next_line(&cursor), "<6>after\n");
}

static void test_overtaken_writer_keeps_its_slot(void **state)
{
    (void)state;
    struct log_cursor cursor = log_end(), fresh;
    struct slow_line slow = slow_begin(5, 1);
    unsigned long missed = 0;
    for (int i = 0; i < LOG_SLOTS - 1; i++)
        log_info("first lap");
    log_info("hits the slow writer's slot");
    log_info("next");

    /* the unfinished line is given up, the one that hit its slot was dropped */
    unsigned long read = read_all(&cursor, &missed);
    assert_int_equal(read + missed, LOG_SLOTS + 2);
    assert_in_range(missed, 2, 3 + RESTART_LEAD);

    slow_finish(slow, 0);
    fresh = (struct log_cursor){0};
    missed = 0;
    read = read_all(&fresh, &missed);
    assert_int_equal(read, LOG_SLOTS - 1); /* of the ring's slots one holds nothing of this lap */
    assert_int_equal(missed, 1);

    /* the slot serves again one lap later */
    for (int i = 0; i < LOG_SLOTS; i++)
        log_info("second lap");
    missed = 0;
    fresh = (struct log_cursor){0};
    assert_int_equal(read_all(&fresh, &missed), LOG_SLOTS);
    assert_int_equal(missed, 0);
}

static void test_writer_that_comes_a_lap_late(void **state)
{
    (void)state;
    struct log_cursor cursor = log_end();
    struct slow_line slow = slow_begin(5, 0);
    for (int i = 0; i < LOG_SLOTS; i++)
        log_info("lap");
    uint64_t position = slow.claim & POSITION_MASK;
    assert_false(take_slot(slot_of(position), position)); /* a newer line stands there */
    unsigned long missed = 0, read = read_all(&cursor, &missed);
    assert_int_equal(read + missed, LOG_SLOTS + 1);
}

static void test_line_with_a_lost_part_is_lost(void **state)
{
    (void)state;
    for (size_t blocked = 0; blocked < 3; blocked++) {
        reset_log(LOG_SLOTS);
        struct slow_line slow[3];
        for (size_t i = 0; i < 3; i++)
            slow[i] = slow_begin(1, 1);
        for (size_t i = 0; i < 3; i++) {
            if (i != blocked)
                slow_finish(slow[i], 0);
        }
        for (int i = 0; i < LOG_SLOTS - 3; i++)
            log_info("fill");
        struct log_cursor cursor = log_end();
        char text[3 * FRAGMENT_MAX];
        memset(text, 't', sizeof(text));
        log_text(LOG_INFO, text, sizeof(text)); /* one of its three slots is not to be had */
        assert_string_equal(next_line(&cursor), "");
        log_info("whole");
        assert_string_equal(next_line(&cursor), "<4>1 lines missed\n");
        assert_string_equal(next_line(&cursor), "<6>whole\n");
        assert_string_equal(next_line(&cursor), "");
    }
}

static void drain_all(void)
{
    for (int i = 0; i < LOG_SLOTS && log_pending(); i++) {
        arch_work_begin();
        log_drain();
    }
}

static void test_dropped_lines_leave_nothing_pending(void **state)
{
    (void)state;
    slow_begin(1, 1);
    for (int i = 0; i < LOG_SLOTS - 1; i++)
        log_info("fill");
    move_to(&silent, log_end());
    log_info("dropped");
    assert_true(log_pending());
    drain_all();
    assert_false(log_pending());
    assert_int_equal(position_diff(head_position(), silent.shown.slot), 0);
}

static void test_pending(void **state)
{
    (void)state;
    assert_false(log_pending());
    struct slow_line slow = slow_begin(1, 1);
    assert_false(log_pending()); /* nothing that a drain could take */
    log_info("x");
    assert_false(log_pending());
    slow_finish(slow, 0);
    assert_true(log_pending());
    log_drain();
    assert_false(log_pending());
    slow_begin(1, 0);
    for (int i = 0; i < LOG_SLOTS; i++)
        log_info("overtakes the console");
    assert_true(log_pending());
    drain_all();
    assert_false(log_pending());
}

/* Stop a reader between its copy and its second look: the copy of an overwritten slot is refused.
 */
static void test_copy_of_an_overwritten_slot(void **state)
{
    (void)state;
    struct fragment fragment;
    struct log_cursor cursor = log_end();
    log_info("old");
    assert_true(copy_slot(cursor.slot, &fragment));
    for (int i = 0; i < LOG_SLOTS; i++)
        log_info("new");
    assert_false(copy_slot(cursor.slot, &fragment));
    assert_int_equal(look_at(cursor.slot), LOOK_LOST);
}

/* ---- the end of the numbers ------------------------------------------------------------------ */

static void test_wraps(void **state)
{
    (void)state;
    /* the position wraps; position and line number wrap together; the position near the middle */
    static const uint64_t heads[] = {POSITION_MASK - 100, UINT64_MAX - 100,
                                     (UINT64_C(1) << 35) - 100, UINT64_MAX - ONE_LINE * 20 - 100};
    for (size_t h = 0; h < sizeof(heads) / sizeof(heads[0]); h++) {
        reset_log(heads[h] - LOG_SLOTS);
        for (int i = 0; i < LOG_SLOTS; i++) /* a ring in use */
            log_info("lap before");
        struct log_cursor cursor = log_end();
        char text[200];
        memset(text, 'w', sizeof(text));
        for (size_t i = 0; i < sizeof(text); i++) {
            log_text(LOG_INFO, text, i + 1);
            assert_int_equal(strlen(next_line(&cursor)), 3 + i + 1 + 1);
        }
        struct log_cursor fresh = {0};
        unsigned long missed = 0;
        assert_in_range(read_all(&fresh, &missed), LOG_SLOTS - 500, LOG_SLOTS);
        assert_int_equal(missed, 0);

        reset_log(heads[h]);
        cursor = log_end();
        for (int i = 0; i < 10000; i++)
            log_text(LOG_INFO, text, (size_t)i % sizeof(text) + 1);
        unsigned long read = read_all(&cursor, &missed);
        assert_int_equal(read + missed, 10000);
        assert_true(missed > 0);
    }
}

/* ---- many at once ---------------------------------------------------------------------------- */

enum { WRITERS = 4, LINES_EACH = 100000 };

static _Atomic int writers_left;
static _Atomic unsigned long lines_put, lines_taken;
static bool throttled; /* writers never run ahead of the reader by more than a part of the ring */

/* Line n of writer w is a text that only they have. Returns: its length. */
static size_t make_line(char *buf, unsigned w, unsigned n)
{
    unsigned mix = (w * 2654435761U) ^ (n * 40503U);
    size_t fill = mix % 4 == 0 ? mix / 4 % 350 : mix % 40;
    size_t len = (size_t)sprintf(buf, "w%u n%u ", w, n);
    for (size_t i = 0; i < fill; i++)
        buf[len++] = (char)('a' + (mix + i * 7) % 26);
    return len;
}

static void *writer(void *arg)
{
    unsigned w = (unsigned)(uintptr_t)arg;
    char text[512];
    fake_cpu = w;
    for (unsigned n = 0; n < LINES_EACH; n++) {
        size_t len = make_line(text, w, n);
        enum { LEAD_MAX = LOG_SLOTS / 8 }; /* lines, of at most 4 slots */
        while (throttled && atomic_load(&lines_put) > atomic_load(&lines_taken) + LEAD_MAX)
            arch_relax();
        atomic_fetch_add(&lines_put, 1);
        log_text(LOG_INFO, text, len);
    }
    atomic_fetch_sub(&writers_left, 1);
    return NULL;
}

struct tally {
    unsigned long read, missed;
    long last[WRITERS]; /* of each writer's lines, the last seen */
};

static void check_line(struct tally *tally, const char *s)
{
    unsigned long missed;
    unsigned w, n;
    char want[512], newline;
    if (sscanf(s, "<4>%lu lines missed%c", &missed, &newline) == 2) {
        tally->missed += missed;
        return;
    }
    tally->read++;
    atomic_fetch_add(&lines_taken, 1);
    if (strcmp(s, "<6>the last line\n") == 0)
        return;
    assert_int_equal(sscanf(s, "<6>w%u n%u ", &w, &n), 2);
    assert_true(w < WRITERS && n < LINES_EACH);
    size_t len = make_line(want, w, n);
    assert_int_equal(strlen(s), 3 + len + 1);
    assert_memory_equal(s + 3, want, len);
    assert_true((long)n > tally->last[w]);
    tally->last[w] = n;
}

static void start_writers(pthread_t threads[WRITERS])
{
    atomic_store(&writers_left, WRITERS);
    atomic_store(&lines_put, 0);
    atomic_store(&lines_taken, 0);
    for (uintptr_t w = 0; w < WRITERS; w++)
        assert_int_equal(pthread_create(&threads[w], NULL, writer, (void *)w), 0);
}

static struct tally run_writers(void)
{
    pthread_t threads[WRITERS];
    struct log_cursor cursor = log_end();
    struct tally tally = {.last = {-1, -1, -1, -1}};
    start_writers(threads);
    while (atomic_load(&writers_left) > 0) {
        const char *s = next_line(&cursor);
        if (*s != '\0')
            check_line(&tally, s);
    }
    for (unsigned w = 0; w < WRITERS; w++)
        pthread_join(threads[w], NULL);
    log_info("the last line");
    for (const char *s = next_line(&cursor); *s != '\0'; s = next_line(&cursor))
        check_line(&tally, s);
    print_message("read %lu, missed %lu\n", tally.read, tally.missed);
    return tally;
}

static void test_many_writers_one_reader(void **state)
{
    (void)state;
    throttled = false;
    struct tally tally = run_writers();
    assert_int_equal(tally.read + tally.missed, WRITERS * LINES_EACH + 1);
}

static void test_many_writers_nothing_missed(void **state)
{
    (void)state;
    throttled = true;
    struct tally tally = run_writers();
    assert_int_equal(tally.read, WRITERS * LINES_EACH + 1);
    assert_int_equal(tally.missed, 0);
}

/* Copy the slot that is overwritten next, again and again: a copy that is accepted is whole. */
static void test_copies_of_slots_being_overwritten(void **state)
{
    (void)state;
    pthread_t threads[WRITERS];
    unsigned long accepted = 0, refused = 0;
    throttled = false;
    for (int i = 0; i < LOG_SLOTS; i++)
        log_info("w0 n0 before");
    start_writers(threads);
    while (atomic_load(&writers_left) > 0) {
        struct fragment fragment;
        uint64_t position = position_add(head_position(), -(uint64_t)LOG_SLOTS);
        if (!copy_slot(position, &fragment)) {
            refused++;
            continue;
        }
        accepted++;
        unsigned w, n;
        char text[FRAGMENT_MAX + 1] = {0}, want[512];
        memcpy(text, fragment.text, FRAGMENT_MAX);
        if (about_index(fragment.about) > 0 || strcmp(text, "w0 n0 before") == 0)
            continue;
        assert_int_equal(sscanf(text, "w%u n%u ", &w, &n), 2);
        size_t len = make_line(want, w, n);
        assert_int_equal(about_length(fragment.about), len);
        assert_memory_equal(text, want, len < FRAGMENT_MAX ? len : FRAGMENT_MAX);
    }
    for (unsigned w = 0; w < WRITERS; w++)
        pthread_join(threads[w], NULL);
    print_message("accepted %lu, refused %lu\n", accepted, refused);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_form_of_a_line, fresh_log),
        cmocka_unit_test_setup(test_levels, fresh_log),
        cmocka_unit_test_setup(test_escapes, fresh_log),
        cmocka_unit_test_setup(test_line_is_cut, fresh_log),
        cmocka_unit_test_setup(test_text_becomes_lines, fresh_log),
        cmocka_unit_test_setup(test_every_length, fresh_log),
        cmocka_unit_test_setup(test_longest_line, fresh_log),
        cmocka_unit_test_setup(test_too_small_a_buffer, fresh_log),
        cmocka_unit_test_setup(test_overtaken, fresh_log),
        cmocka_unit_test_setup(test_overtaken_by_long_lines, fresh_log),
        cmocka_unit_test_setup(test_missed_report_is_stamped_and_needs_room, fresh_log),
        cmocka_unit_test_setup(test_fresh_reader_of_a_full_ring, fresh_log),
        cmocka_unit_test_setup(test_reader_waits_for_the_unfinished, fresh_log),
        cmocka_unit_test_setup(test_overtaken_writer_keeps_its_slot, fresh_log),
        cmocka_unit_test_setup(test_writer_that_comes_a_lap_late, fresh_log),
        cmocka_unit_test_setup(test_line_with_a_lost_part_is_lost, fresh_log),
        cmocka_unit_test_setup(test_dropped_lines_leave_nothing_pending, fresh_log),
        cmocka_unit_test_setup(test_pending, fresh_log),
        cmocka_unit_test_setup(test_copy_of_an_overwritten_slot, fresh_log),
        cmocka_unit_test_setup(test_wraps, fresh_log),
        cmocka_unit_test_setup(test_many_writers_one_reader, fresh_log),
        cmocka_unit_test_setup(test_many_writers_nothing_missed, fresh_log),
        cmocka_unit_test_setup(test_copies_of_slots_being_overwritten, fresh_log),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
