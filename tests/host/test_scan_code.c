// SPDX-License-Identifier: MIT
/* links: src/drivers/scan_code.c */
/* Scan codes to text: every key of a US keyboard, its modifiers, and codes that are none. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <string.h>

#include <cmocka.h>

#include "drivers/scan_code.h"
#include "hostile.h"

static struct keyboard keyboard;

static int set_up(void **state)
{
    (void)state;
    keyboard = (struct keyboard){0};
    return 0;
}

/* What `count` codes type, one after the other. */
static const char *type_codes(const uint8_t *codes, size_t count)
{
    static char typed[512];
    size_t used = 0;
    for (size_t i = 0; i < count; i++) {
        char text[SCAN_CODE_TEXT_MAX];
        size_t length = scan_code_take(&keyboard, codes[i], text);
        assert_true(length <= sizeof(text) && used + length < sizeof(typed));
        memcpy(typed + used, text, length);
        used += length;
    }
    typed[used] = '\0';
    return typed;
}
#define CODES(...) (const uint8_t[]){__VA_ARGS__}, sizeof((const uint8_t[]){__VA_ARGS__})
#define assert_typed(text, ...) assert_string_equal(type_codes(CODES(__VA_ARGS__)), text)

/* Every key that types a character, in the order of their codes, each pressed and let go. */
static const char *type_all(void)
{
    uint8_t codes[2 * 0x3a];
    for (uint8_t i = 0; i < 0x3a; i++) {
        bool modifier = i == 0x1d || i == 0x2a || i == 0x36 || i == 0x38;
        codes[2 * i] = modifier ? 0 : i;
        codes[2 * i + 1] = modifier ? 0 : i | 0x80;
    }
    return type_codes(codes, sizeof(codes));
}

static void test_all_keys(void **state)
{
    (void)state;
    assert_string_equal(type_all(), "\x1b"
                                    "1234567890-=\x7f\tqwertyuiop[]\rasdfghjkl;'`\\zxcvbnm,./* ");
    assert_typed("", 0x2a);
    assert_string_equal(type_all(),
                        "\x1b"
                        "!@#$%^&*()_+\x7f\x1b[ZQWERTYUIOP{}\rASDFGHJKL:\"~|ZXCVBNM<>?* ");
    assert_typed("q", 0xaa, 0x10);
    assert_typed("Q|q\\", 0x36, 0x10, 0x56, 0xb6, 0x10, 0x56); /* the other shift; the 102nd key */
}

static void test_locks(void **state)
{
    (void)state;
    assert_typed("Q1", 0x3a, 0x3a, 0xba, 0x10, 0x02);         /* on, its repetition not counting */
    assert_typed("q!", 0x2a, 0x10, 0x02, 0xaa);               /* with shift */
    assert_typed("q", 0x3a, 0xba, 0x10);                      /* off */
    assert_typed("\x1b[A\x1b[3~-+", 0x48, 0x53, 0x4a, 0x4e);  /* the key pad */
    assert_typed("8.-+", 0x45, 0xc5, 0x48, 0x53, 0x4a, 0x4e); /* with Num Lock */
    assert_typed("\x1b[A", 0xe0, 0x48, 0xe0, 0xc8);           /* which the other arrow minds not */
}

static void test_control_and_alt(void **state)
{
    (void)state;
    assert_typed("\x03\x04\x1a", 0x1d, 0x2e, 0xae, 0x20, 0xa0, 0x2c, 0x9d);
    assert_typed("c\x03"
                 "c",
                 0x2e, 0xe0, 0x1d, 0x2e, 0xe0, 0x9d, 0x2e); /* the right one */
    assert_typed("\x1b\x1c\x1d\x1f\x1f\b", 0x1d, 0x1a, 0x2b, 0x1b, 0x35, 0x0c, 0x0e, 0x9d);
    assert_typed("\x1bx\x1bX", 0x38, 0x2d, 0x2a, 0x2d, 0xaa, 0xb8);
    char text[SCAN_CODE_TEXT_MAX] = "?";
    (void)type_codes(CODES(0x1d));
    assert_int_equal(scan_code_take(&keyboard, 0x39, text), 1); /* ^space is a zero byte */
    assert_int_equal(text[0], 0);
}

static void test_special_keys(void **state)
{
    (void)state;
    assert_typed("\x1b[A\x1b[B\x1b[C\x1b[D", 0xe0, 0x48, 0xe0, 0x50, 0xe0, 0x4d, 0xe0, 0x4b);
    assert_typed("\x1b[1~\x1b[4~\x1b[5~\x1b[6~", 0xe0, 0x47, 0xe0, 0x4f, 0xe0, 0x49, 0xe0, 0x51);
    assert_typed("\x1b[2~\x1b[3~\r/", 0xe0, 0x52, 0xe0, 0x53, 0xe0, 0x1c, 0xe0, 0x35);
    assert_typed("\x1b[[A\x1b[[E\x1b[17~\x1b[21~\x1b[23~\x1b[24~", 0x3b, 0x3f, 0x40, 0x44, 0x57,
                 0x58);
}

static void test_made_up_codes(void **state)
{
    (void)state;
    assert_typed("\x1b[Cq", 0xe0, 0x2a, 0xe0, 0x4d, 0xe0, 0xcd, 0xe0, 0xaa, 0x10); /* false shift */
    assert_typed("q", 0xe0, 0x2a, 0x10, 0xe0, 0xaa);                    /* which shifts nothing */
    assert_typed("q1", 0xe1, 0x1d, 0x45, 0xe1, 0x9d, 0xc5, 0x10, 0x02); /* Pause */
    assert_typed("q", 0xe0, 0x37, 0xe0, 0x5b, 0x54, 0x10);              /* Print, Windows, none */
    assert_typed("q", 0x00, 0xff, 0xfa, 0xfe, 0xee, 0x10);              /* no codes at all */
}

static void test_random(void **state)
{
    uint64_t random = 88172645463325252;
    char text[SCAN_CODE_TEXT_MAX];
    (void)state;
    for (int i = 0; i < 1000000; i++)
        assert_true(scan_code_take(&keyboard, (uint8_t)random_next(&random), text) <= sizeof(text));
}

#define TEST(function) cmocka_unit_test_setup(function, set_up)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_all_keys),     TEST(test_locks),         TEST(test_control_and_alt),
        TEST(test_special_keys), TEST(test_made_up_codes), TEST(test_random),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
