// SPDX-License-Identifier: MIT
/* links: src/proc/tty_line.c */
/*
 * The line discipline, byte by byte, and against this machine's own: a pseudo terminal of Linux
 * gets the same modes and the same bytes, and must give the same echo and the same reads.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pty.h>
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "proc/tty_line.h"

static struct tty_line line;
static char shown[1 << 16];
static size_t shown_count;
static int interrupts[32]; /* by TTY_CC_* */

static void show(struct tty_line *from, const char *text, size_t len)
{
    (void)from;
    assert_true(shown_count + len < sizeof(shown));
    memcpy(shown + shown_count, text, len);
    shown_count += len;
}

static void note_interrupt(struct tty_line *from, int cc)
{
    (void)from;
    interrupts[cc]++;
}

static int fresh(void **state)
{
    (void)state;
    tty_line_init(&line, show, note_interrupt);
    shown_count = 0;
    memset(interrupts, 0, sizeof(interrupts));
    return 0;
}

static void check_invariants(void)
{
    assert_in_range(line.head - line.tail, 0, TTY_LINE_SIZE);
    assert_in_range(line.lines_end - line.tail, 0, line.head - line.tail);
}

static void type(const char *text)
{
    for (; *text != '\0'; text++) {
        assert_true(tty_line_has_room(&line));
        tty_line_receive(&line, (uint8_t)*text);
        check_invariants();
    }
}

/* A read as tty.c does it. */
static size_t take(char *buf, size_t room)
{
    struct tty_read read = tty_line_read(&line, room);
    assert_in_range(read.len, 0, room);
    for (size_t done = 0, len; done < read.len; done += len) {
        const uint8_t *from = tty_line_bytes(&line, done, &len);
        if (len > read.len - done)
            len = read.len - done;
        memcpy(buf + done, from, len);
    }
    tty_line_take(&line, read.used);
    check_invariants();
    return read.len;
}

static void expect_read(size_t room, const char *expected)
{
    char buf[TTY_LINE_SIZE];
    assert_true(tty_line_is_ready(&line));
    size_t len = take(buf, room);
    assert_int_equal(len, strlen(expected));
    assert_memory_equal(buf, expected, len);
}

static void expect_shown(const char *expected)
{
    shown[shown_count] = '\0';
    assert_string_equal(shown, expected);
    shown_count = 0;
}

/* ---- by hand --------------------------------------------------------------------------------- */

static void test_lines(void **state)
{
    (void)state;
    type("ls -l");
    assert_false(tty_line_is_ready(&line));
    assert_int_equal(tty_line_count(&line), 0);
    type("\rcat\n");
    expect_shown("ls -l\ncat\n");
    assert_int_equal(tty_line_count(&line), 10);
    expect_read(100, "ls -l\n");
    expect_read(2, "ca");
    expect_read(1, "t");
    expect_read(1, "\n");
    assert_false(tty_line_is_ready(&line));
}

static void test_erasing(void **state)
{
    (void)state;
    type("\177\b");
    expect_shown("");
    type("abc\177d\be\n");
    expect_shown("abc\b \bd\b \be\n");
    expect_read(100, "abe\n");
    type("wrong\025right\n");
    expect_shown("wrong\b \b\b \b\b \b\b \b\b \bright\n");
    expect_read(100, "right\n");
    type("one two, \027\n");
    expect_read(100, "one \n");
    shown_count = 0;
    type("a\001\177\n"); /* a control character takes two columns */
    expect_shown("a^A\b \b\b \b\n");
    expect_read(100, "a\n");
    type("\xe3\x81\x82\177x\n"); /* UTF-8: one character */
    expect_shown("\xe3\x81\x82\b \bx\n");
    expect_read(100, "x\n");
    type("\026\177\n"); /* as it is */
    expect_shown("^\b^?\n");
    expect_read(100, "\177\n");
}

/* A tab goes back to where it was typed, also behind a prompt. */
static void test_tab(void **state)
{
    (void)state;
    tty_line_wrote(&line, "hi\nsh> ", 7);
    type("ab\t\177c\n");
    expect_shown("ab\t\b\bc\n");
    expect_read(100, "abc\n");
}

static void test_end_of_file(void **state)
{
    (void)state;
    type("\004");
    assert_true(tty_line_is_ready(&line));
    assert_int_equal(tty_line_count(&line), 0);
    expect_read(100, "");
    assert_false(tty_line_is_ready(&line));
    type("abc\004def\004\004x\n");
    assert_int_equal(tty_line_count(&line), 8);
    expect_read(100, "abc");
    expect_read(3, "def"); /* its ^D goes with it, though there was no room behind */
    expect_read(100, "");
    expect_read(100, "x\n");
    expect_shown("abcdefx\n");
}

static void test_interrupt(void **state)
{
    (void)state;
    type("abc\ndef\003");
    assert_int_equal(interrupts[TTY_CC_INTR], 1);
    assert_false(tty_line_is_ready(&line));
    type("\034\032x\n");
    assert_int_equal(interrupts[TTY_CC_QUIT], 1);
    assert_int_equal(interrupts[TTY_CC_SUSP], 1);
    expect_shown("abc\ndef^C^\\^Zx\n");
    expect_read(100, "x\n");
}

/* More than a line: the end still comes through, and nothing ever closes the door for good. */
static void test_too_long(void **state)
{
    (void)state;
    for (int i = 0; i < 3 * TTY_LINE_SIZE; i++)
        type("x");
    type("\n");
    char buf[2 * TTY_LINE_SIZE];
    assert_int_equal(take(buf, sizeof(buf)), TTY_LINE_SIZE);
    for (int i = 0; i < TTY_LINE_SIZE - 1; i++)
        assert_int_equal(buf[i], 'x');
    assert_int_equal(buf[TTY_LINE_SIZE - 1], '\n');

    size_t typed = 0; /* whole lines that nobody reads do close it */
    while (tty_line_has_room(&line)) {
        shown_count = 0;
        type(typed++ % 2 == 0 ? "y" : "\n");
    }
    assert_int_equal(typed, TTY_LINE_SIZE - 1);
    expect_read(100, "y\n");
    assert_true(tty_line_has_room(&line));
}

static void test_raw(void **state)
{
    (void)state;
    struct tty_modes raw = line.modes;
    raw.lflag &= ~(uint32_t)(TTY_ICANON | TTY_ECHO | TTY_ISIG | TTY_IEXTEN);
    raw.iflag = 0;
    type("left");
    tty_line_set_modes(&line, &raw);
    shown_count = 0;
    type("\r\n\003\004\177");
    expect_shown("");
    assert_int_equal(tty_line_count(&line), 9);
    expect_read(100, "left\r\n\003\004\177");
    type("pushed");
    raw.lflag |= TTY_ICANON;
    tty_line_set_modes(&line, &raw);
    expect_read(100, "pushed");
    type("more\n");
    tty_line_flush(&line);
    assert_false(tty_line_is_ready(&line));
}

/* ---- against Linux --------------------------------------------------------------------------- */

static int master = -1, slave = -1;
enum { DEADLINE_S = 20 };

static time_t now(void)
{
    struct timespec time;
    clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec;
}

static void set_both(uint32_t iflag, uint32_t lflag)
{
    struct termios modes;
    struct tty_modes own = line.modes;
    assert_int_equal(tcgetattr(slave, &modes), 0);
    own.iflag = modes.c_iflag = iflag;
    own.lflag = modes.c_lflag = lflag;
    modes.c_oflag = OPOST | ONLCR;
    for (int i = 0; i < TTY_CC_COUNT; i++)
        modes.c_cc[i] = own.cc[i];
    modes.c_cc[VTIME] = 0;
    modes.c_cc[VMIN] = 1;
    assert_int_equal(tcsetattr(slave, TCSANOW, &modes), 0);
    tty_line_set_modes(&line, &own);
}

static int open_pty(void **state)
{
    fresh(state);
    line.erase_too = false; /* ours alone */
    if (openpty(&master, &slave, NULL, NULL, NULL) != 0) {
        master = slave = -1;
        return 0;
    }
    struct termios modes;
    tcgetattr(slave, &modes);
    modes.c_iflag &= ~(tcflag_t)IXON;
    tcsetattr(slave, TCSANOW, &modes);
    return fcntl(slave, F_SETFL, O_NONBLOCK);
}

static int close_pty(void **state)
{
    (void)state;
    close(master);
    close(slave);
    master = slave = -1;
    return 0;
}

/* All that our echo has, Linux's has, "\r\n" for each newline. */
static void compare_echo(void)
{
    for (size_t i = 0; i < shown_count; i++) {
        char wanted[2] = {'\r', '\n'};
        size_t len = shown[i] == '\n' ? 2 : 1;
        if (len == 1)
            wanted[0] = shown[i];
        for (size_t j = 0; j < len; j++) {
            struct pollfd fd = {.fd = master, .events = POLLIN};
            char got;
            if (poll(&fd, 1, DEADLINE_S * 1000) != 1)
                fail_msg("byte %zu of the echo does not come: %#x", i, (uint8_t)wanted[j]);
            assert_int_equal(read(master, &got, 1), 1);
            if (got != wanted[j])
                fail_msg("byte %zu of the echo: %#x expected, %#x seen", i, (uint8_t)got,
                         (uint8_t)wanted[j]);
        }
    }
    shown_count = 0;
}

/* The other side works on its input in a thread of its own: wait until it is where we are, as far
 * as the count of bytes tells. */
static void compare_count(void)
{
    int count;
    time_t start = now();
    do {
        assert_int_equal(ioctl(slave, FIONREAD, &count), 0);
        sched_yield();
    } while ((size_t)count != tty_line_count(&line) && now() - start < DEADLINE_S);
    assert_int_equal(count, tty_line_count(&line));
}

static void compare_read(size_t room)
{
    static char got[2 * TTY_LINE_SIZE], own[2 * TTY_LINE_SIZE];
    bool ready = tty_line_is_ready(&line);
    struct pollfd fd = {.fd = slave, .events = POLLIN};
    if (ready)
        (void)poll(&fd, 1, DEADLINE_S * 1000);
    long len = read(slave, got, room);
    if (!ready) {
        assert_int_equal(len, -1);
        assert_int_equal(errno, EAGAIN);
        return;
    }
    size_t own_len = take(own, room);
    assert_int_equal(len, own_len);
    assert_memory_equal(got, own, own_len);
}

/* Bytes that the modes give a meaning come often. */
static uint8_t random_byte(void)
{
    static const uint8_t special[] = "\r\n\n\n\177\177\177\025\027\027\022\026\004\t\t   _";
    static const uint8_t utf8[] = "\xc3\xa9\xe3\x81\x82\xff";
    switch (rand() % 8) {
    case 0:
    case 1:
        return special[(size_t)rand() % (sizeof(special) - 1)];
    case 2:
        return utf8[(size_t)rand() % (sizeof(utf8) - 1)];
    case 3:
        return (uint8_t)(rand() % 256);
    default:
        return (uint8_t)(rand() % 2 ? 'a' + rand() % 26 : '!' + rand() % 94);
    }
}

static void type_both(const uint8_t *bytes, size_t count)
{
    assert_int_equal(write(master, bytes, count), count);
    for (size_t i = 0; i < count; i++) {
        assert_true(tty_line_has_room(&line));
        tty_line_receive(&line, bytes[i]);
        check_invariants();
    }
}

/* Returns: did the last byte show? Then the other side has worked on it when its echo is there. */
static bool type_chunk(const uint8_t *bytes, size_t count)
{
    type_both(bytes, count - 1);
    size_t before = shown_count;
    type_both(&bytes[count - 1], 1);
    return shown_count > before;
}

static uint32_t some_of(uint32_t flags)
{
    uint32_t some = 0;
    for (uint32_t bit = 1; bit != 0; bit <<= 1) {
        if ((flags & bit) != 0 && rand() % 4 != 0)
            some |= bit;
    }
    return some;
}

/* What came in so far is worked off; then modes may change. */
static void random_modes(void)
{
    uint32_t lflag = ECHO | some_of(ICANON | ECHOE | ECHOK | ECHOKE | ECHONL | ECHOCTL | IEXTEN);
    uint32_t iflag =
        some_of(ICRNL | IUTF8) | (rand() % 6 == 0 ? INLCR : 0) | (rand() % 6 == 0 ? IGNCR : 0);
    set_both(iflag, lflag);
}

static void test_random(void **state)
{
    (void)state;
    enum { ROUNDS = 6000, CHUNK = 24, SOME = 200, DRAINED = 1500 };
    if (master < 0)
        skip();
    unsigned seed = (unsigned)time(NULL);
    print_message("seed %u\n", seed);
    srand(seed);
    set_both(ICRNL, ECHO | ICANON | ECHOE | ECHOK | ECHOKE | ECHOCTL | IEXTEN);
    for (int round = 0; round < ROUNDS; round++) {
        uint8_t bytes[CHUNK];
        size_t count = (size_t)rand() % CHUNK + 1;
        for (size_t i = 0; i < count; i++)
            bytes[i] = random_byte();
        if (!type_chunk(bytes, count)) /* as LNEXT without ECHOCTL: nothing tells when it is done */
            type_both((const uint8_t *)"x", 1);
        compare_echo();
        compare_count();
        for (int reads = rand() % 3; reads > 0; reads--)
            compare_read((size_t)rand() % (rand() % 2 ? 8 : SOME) + 1);
        while (line.head - line.tail > DRAINED && tty_line_is_ready(&line))
            compare_read(SOME);
        if (rand() % 8 == 0)
            random_modes();
        if (rand() % 16 == 0 || line.head - line.tail > DRAINED) {
            tcflush(slave, TCIFLUSH);
            tty_line_flush(&line);
        }
        static const char prompt[] = "sh\t> ";
        if (rand() % 16 == 0) {
            assert_int_equal(write(slave, prompt, 5), 5);
            show(&line, prompt, 5);
            tty_line_wrote(&line, prompt, 5);
            compare_echo();
        }
    }
}

/* Lines of all lengths around the buffer's size. */
static void test_long(void **state)
{
    (void)state;
    if (master < 0)
        skip();
    set_both(ICRNL, ECHO | ICANON | ECHOE | ECHOK | ECHOKE | ECHOCTL | IEXTEN);
    for (size_t len = TTY_LINE_SIZE - 4; len < TTY_LINE_SIZE + 4; len++) {
        for (size_t typed = 0; typed < len; typed++) {
            uint8_t byte = (uint8_t)('a' + typed % 26);
            type_both(&byte, 1);
            if (typed % 64 == 63)
                compare_echo();
        }
        compare_echo();
        type_both((const uint8_t *)"\177\177zyxwv\n", 8);
        compare_echo();
        compare_count();
        compare_read(100);
        compare_read(2 * TTY_LINE_SIZE);
        compare_read(1);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup(test_lines, fresh),
        cmocka_unit_test_setup(test_erasing, fresh),
        cmocka_unit_test_setup(test_tab, fresh),
        cmocka_unit_test_setup(test_end_of_file, fresh),
        cmocka_unit_test_setup(test_interrupt, fresh),
        cmocka_unit_test_setup(test_too_long, fresh),
        cmocka_unit_test_setup(test_raw, fresh),
        cmocka_unit_test_setup_teardown(test_random, open_pty, close_pty),
        cmocka_unit_test_setup_teardown(test_long, open_pty, close_pty),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
