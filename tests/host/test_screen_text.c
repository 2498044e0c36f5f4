// SPDX-License-Identifier: MIT
/* links: src/drivers/screen_text.c */
/* The text screen: where characters and control sequences put what, and what damage does to it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/screen_text.h"
#include "hostile.h"

enum { COLUMNS = 10, ROWS = 4 };

static struct screen_text text;
static struct screen_cell *cells; /* on the heap, so that a write beyond them is seen */

static int set_up(void **state)
{
    (void)state;
    cells = malloc(COLUMNS * ROWS * sizeof(*cells));
    screen_text_init(&text, cells, COLUMNS, ROWS);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    free(cells);
    return 0;
}

static void put(const char *bytes)
{
    screen_text_write(&text, bytes, strlen(bytes));
}

/* A line as text, without the blanks at its end; what is not ASCII shows as '#'. */
static const char *line(unsigned y)
{
    static char shown[COLUMNS + 1];
    size_t end = 0;
    const struct screen_cell *cell = screen_text_line(&text, y);
    for (size_t x = 0; x < COLUMNS; x++) {
        shown[x] = cell[x].code < 0x7f ? (char)cell[x].code : '#';
        if (shown[x] != ' ')
            end = x + 1;
    }
    shown[end] = '\0';
    return shown;
}

static void assert_place(unsigned x, unsigned y)
{
    assert_int_equal(text.x, x);
    assert_int_equal(text.y, y);
    assert_int_equal(screen_text_cursor(&text, y), x);
    assert_int_equal(screen_text_cursor(&text, y + 1), COLUMNS);
}

static void test_lines(void **state)
{
    (void)state;
    put("one\ntwo\rT\n\tx\b\by\a\x7f");
    assert_string_equal(line(0), "one");
    assert_string_equal(line(1), "Two");
    assert_string_equal(line(2), "       yx");
    assert_place(8, 2);
    put("\b\b\b\b\b\b\b\b\b\b\b");
    assert_place(0, 2);
    put("\t\t\t");
    assert_place(9, 2); /* a tab does not leave the line */
}

/* A line that is as long as the screen is wide does not cost an empty one. */
static void test_full_line(void **state)
{
    (void)state;
    put("0123456789");
    assert_place(9, 0);
    put("\nnext");
    assert_string_equal(line(1), "next");
    put("\n0123456789a");
    assert_string_equal(line(2), "0123456789");
    assert_string_equal(line(3), "a");
}

static void test_scroll(void **state)
{
    (void)state;
    put("a\nb\nc\nd\ne\nf");
    assert_string_equal(line(0), "c");
    assert_string_equal(line(3), "f");
    put("\n\n\n\n");
    for (unsigned y = 0; y < ROWS; y++)
        assert_string_equal(line(y), "");
    assert_place(0, 3);
}

static void test_moves(void **state)
{
    (void)state;
    put("\x1b[2;3Hx");
    assert_string_equal(line(1), "  x");
    put("\x1b[A\x1b[2C<");
    assert_string_equal(line(0), "     <");
    put("\x1b[B\x1b[6D>");
    assert_string_equal(line(1), "> x");
}

static void test_move_limits(void **state)
{
    (void)state;
    put("\x1b[99;99H");
    assert_place(9, 3);
    put("\x1b[99A\x1b[99D");
    assert_place(0, 0);
    put("\x1b[99999999999999999999C");
    assert_place(9, 0);
    put("\x1b[0;0H");
    assert_place(0, 0);
    put("\x1b[3;4H\x1b[s\x1b[H\x1b[u");
    assert_place(3, 2);
    put("\x1b"
        "7\x1b[H\x1b"
        "8");
    assert_place(3, 2);
    put("\x1b[7G");
    assert_place(6, 2);
}

static void fill(void)
{
    put("\x1b[Haaaaaaaaaa\nbbbbbbbbbb\ncccccccccc\ndddddddddd");
}

static void test_erase(void **state)
{
    (void)state;
    fill();
    put("\x1b[2;4H\x1b[K");
    assert_string_equal(line(1), "bbb");
    put("\x1b[3;4H\x1b[1K");
    assert_string_equal(line(2), "    cccccc");
    put("\x1b[2K");
    assert_string_equal(line(2), "");
    fill();
    put("\x1b[2;4H\x1b[J");
    assert_string_equal(line(0), "aaaaaaaaaa");
    assert_string_equal(line(1), "bbb");
    assert_string_equal(line(2), "");
    fill();
    put("\x1b[2;4H\x1b[1J");
    assert_string_equal(line(0), "");
    assert_string_equal(line(1), "    bbbbbb");
    assert_string_equal(line(2), "cccccccccc");
    fill();
    put("\x1b[2;4H\x1b[2J");
    assert_string_equal(line(3), "");
    assert_place(3, 1); /* it stays where it is */
}

static void assert_colours(unsigned x, unsigned ink, unsigned ground)
{
    assert_int_equal(screen_text_line(&text, 0)[x].ink, ink);
    assert_int_equal(screen_text_line(&text, 0)[x].ground, ground);
}

/* The ninth number has no place, and does not become a part of the eighth. */
static void more_numbers_than_places(void **state)
{
    (void)state;
    put("\033[0;0;0;0;0;0;0;3;1ma");
    assert_colours(0, 7, 0);
}

static void test_colours(void **state)
{
    (void)state;
    put("a\x1b[31;44mb\x1b[1mc\x1b[7md\x1b[me\x1b[93;101mf\x1b[39;49mg\x1b[38;5;12mh\x1b[0;38;2;1;"
        "2;"
        "3mi");
    assert_colours(0, 7, 0);
    assert_colours(1, 1, 4);
    assert_colours(2, 9, 4);
    assert_colours(3, 4, 9);
    assert_colours(4, 7, 0);
    assert_colours(5, 11, 9);
    assert_colours(6, 7, 0);
    assert_colours(7, 12, 0);
    assert_colours(8, 7, 0);
    struct screen_cell under = screen_text_under_cursor(screen_text_line(&text, 0)[1]);
    assert_int_equal(under.ink, 4);
    assert_int_equal(under.ground, 1);
    assert_int_equal(under.code, 'b');
}

static void test_unknown_sequences(void **state)
{
    (void)state;
    put("\x1b[?7h\x1b[>1;2q\x1b[1;2;3;4;5;6;7;8;9;10;11z\x1b(B\x1b]0;title\ax\x1b=y\x1b[12!pz");
    assert_string_equal(line(0), "xyz");
    put("\x1b]never ended\nnext"); /* a line's end ends it */
    assert_string_equal(line(0), "xyznext");
}

static void test_cursor(void **state)
{
    (void)state;
    put("\x1b[?25lx");
    assert_int_equal(screen_text_cursor(&text, 0), COLUMNS);
    put("\x1b[?25h");
    assert_int_equal(screen_text_cursor(&text, 0), 1);
}

static void assert_codes(const char *bytes, const uint16_t *codes, size_t count)
{
    put("\x1b"
        "c");
    put(bytes);
    for (size_t i = 0; i < count; i++)
        assert_int_equal(screen_text_line(&text, 0)[i].code, codes[i]);
    assert_place((unsigned)count, 0);
}
#define CODES(bytes, ...)                                                                          \
    assert_codes(bytes, (const uint16_t[]){__VA_ARGS__},                                           \
                 sizeof((const uint16_t[]){__VA_ARGS__}) / sizeof(uint16_t))

static void test_utf8(void **state)
{
    (void)state;
    CODES("\xc3\xa9\xe2\x94\x80z", 0xe9, 0x2500, 'z');
    CODES("\xf0\x9f\x94\x94x", 0xfffd, 'x'); /* beyond 16 bits */
    CODES("\xc3x", 0xfffd, 'x');             /* ends too early */
    CODES("\xe2\x94\xc3\xa9", 0xfffd, 0xe9); /* the same, before another one */
    CODES("\x80\xff\xc1", 0xfffd, 0xfffd, 0xfffd);
    CODES("\xe0\x80\xaf", 0xfffd); /* overlong */
    CODES("\xed\xa0\x80", 0xfffd); /* a surrogate */
    CODES("\xe2\x94\x1b[31mx", 0xfffd, 'x');
    put("\xe2");
    put("\x94");
    put("\x80");
    assert_int_equal(screen_text_line(&text, 0)[2].code, 0x2500); /* in three writes */
}

static void test_changes(void **state)
{
    unsigned first, end;
    (void)state;
    assert_true(screen_text_take_changes(&text, &first, &end));
    assert_int_equal(first, 0);
    assert_int_equal(end, ROWS);
    assert_false(screen_text_take_changes(&text, &first, &end));
    put("x\ny");
    assert_true(screen_text_take_changes(&text, &first, &end));
    assert_int_equal(first, 0);
    assert_int_equal(end, 2);
    put("\x1b[4;1H"); /* where the cursor was, and where it is */
    assert_true(screen_text_take_changes(&text, &first, &end));
    assert_int_equal(first, 1);
    assert_int_equal(end, 4);
    put("\n");
    assert_true(screen_text_take_changes(&text, &first, &end));
    assert_int_equal(first, 0);
    assert_int_equal(end, ROWS);
}

/* What a panic does first: whatever was half read is forgotten, and all is plain and visible. */
static void test_recover(void **state)
{
    static const char *const halves[] = {"\x1b",  "\x1b[3",    "\x1b]title",  "\xe2\x94",
                                         "\x1b(", "\x1b[?25l", "\x1b[30;40m", "\x1b[8m\x1b[7m"};
    (void)state;
    for (size_t i = 0; i < sizeof(halves) / sizeof(halves[0]); i++) {
        put("\x1b"
            "c");
        put(halves[i]);
        screen_text_recover(&text);
        put("p");
        assert_string_equal(line(0), "p");
        assert_colours(0, 7, 0);
        assert_int_equal(screen_text_cursor(&text, 0), 1);
    }
}

/* Any bytes: the place stays on the screen, each write ends, and nothing beyond the cells is
 * touched, which the address sanitizer watches. */
static void test_random(void **state)
{
    static const char likely[] = "\x1b[;?0123456789ABCDGHfJKmsuhlc78(]\n\t\b\r\xe2\x94\x80";
    uint64_t random = 88172645463325252;
    (void)state;
    for (int i = 0; i < 20000; i++) {
        char bytes[16];
        for (size_t j = 0; j < sizeof(bytes); j++)
            bytes[j] = random_below(&random, 4) == 0
                           ? (char)random_next(&random)
                           : likely[random_below(&random, sizeof(likely) - 1)];
        screen_text_write(&text, bytes, sizeof(bytes));
        assert_true(text.x < COLUMNS && text.y < ROWS && text.top < ROWS);
        unsigned first, end;
        assert_true(screen_text_take_changes(&text, &first, &end));
        assert_true(end <= ROWS);
        for (unsigned cell = 0; cell < COLUMNS * ROWS; cell++)
            assert_true(cells[cell].ink < 16 && cells[cell].ground < 16 && cells[cell].code >= ' ');
    }
}

#define TEST(function) cmocka_unit_test_setup_teardown(function, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_lines),
        TEST(test_full_line),
        TEST(test_scroll),
        TEST(test_moves),
        TEST(test_move_limits),
        TEST(test_erase),
        TEST(test_colours),
        TEST(test_unknown_sequences),
        TEST(more_numbers_than_places),
        TEST(test_cursor),
        TEST(test_utf8),
        TEST(test_changes),
        TEST(test_recover),
        TEST(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
