// SPDX-License-Identifier: MIT
/* links: src/lib/string.c src/lib/text.c */
/* flags: -include tests/host/fake/rename.h */
/*
 * Memory and string functions, against plain loops, in buffers that end where they end.
 */
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/errno.h"
#include "lib/text.h"

enum { SPAN = 40, EDGE = 16, ALL = SPAN + 2 * EDGE };

static void fill(unsigned char *p, size_t n, unsigned seed)
{
    for (size_t i = 0; i < n; i++)
        p[i] = (unsigned char)(i * 7 + seed);
}

static void test_memcpy_and_memset(void **state)
{
    (void)state;
    unsigned char src[ALL], dst[ALL], want[ALL];
    for (size_t from = 0; from < EDGE; from++) {
        for (size_t to = 0; to < EDGE; to++) {
            for (size_t n = 0; n <= SPAN; n++) {
                fill(src, ALL, 1);
                fill(dst, ALL, 100);
                fill(want, ALL, 100);
                for (size_t i = 0; i < n; i++)
                    want[to + i] = src[from + i];
                assert_ptr_equal(memcpy(dst + to, src + from, n), dst + to);
                assert_memory_equal(dst, want, ALL);

                for (size_t i = 0; i < n; i++)
                    want[to + i] = 0xe7;
                assert_ptr_equal(memset(dst + to, 0x5e7, n), dst + to);
                assert_memory_equal(dst, want, ALL);
            }
        }
    }
}

static void test_memmove(void **state)
{
    (void)state;
    unsigned char buf[ALL], want[ALL], copy[ALL];
    for (size_t from = 0; from < 2 * EDGE; from++) {
        for (size_t to = 0; to < 2 * EDGE; to++) {
            for (size_t n = 0; n <= SPAN; n++) {
                fill(buf, ALL, 3);
                fill(want, ALL, 3);
                fill(copy, ALL, 3);
                for (size_t i = 0; i < n; i++)
                    want[to + i] = copy[from + i];
                assert_ptr_equal(memmove(buf + to, buf + from, n), buf + to);
                assert_memory_equal(buf, want, ALL);
            }
        }
    }
}

static int sign(int value)
{
    return (value > 0) - (value < 0);
}

static void test_memcmp(void **state)
{
    (void)state;
    for (size_t n = 0; n <= SPAN; n++) {
        unsigned char *a = malloc(n + 1), *b = malloc(n + 1); /* exact: one byte more is poison */
        a = realloc(a, n > 0 ? n : 1);
        b = realloc(b, n > 0 ? n : 1);
        fill(a, n, 9);
        fill(b, n, 9);
        assert_int_equal(memcmp(a, b, n), 0);
        for (size_t i = 0; i < n; i++) {
            b[i] = a[i] ^ 0x80;
            for (size_t j = i + 1; j < n; j++)
                b[j] = (unsigned char)~a[j];
            assert_int_equal(sign(memcmp(a, b, n)), a[i] < b[i] ? -1 : 1);
            assert_int_equal(memcmp(a, b, i), 0);
            fill(b, n, 9);
        }
        free(a);
        free(b);
    }
}

static char *exact(const char *s)
{
    size_t n = strlen(s) + 1;
    return memcpy(malloc(n), s, n);
}

static void test_strings(void **state)
{
    (void)state;
    static const char *const samples[] = {"", "a", "b", "ab", "abc", "abd", "\xff", "\x7f", "aa"};
    for (size_t i = 0; i < sizeof(samples) / sizeof(samples[0]); i++) {
        char *a = exact(samples[i]);
        for (size_t j = 0; j < sizeof(samples) / sizeof(samples[0]); j++) {
            char *b = exact(samples[j]);
            /* order by hand: the first differing byte, as unsigned */
            size_t k = 0;
            while (a[k] != '\0' && a[k] == b[k])
                k++;
            int want = (unsigned char)a[k] - (unsigned char)b[k];
            assert_int_equal(sign(strcmp(a, b)), sign(want));
            for (size_t n = 0; n < 5; n++)
                assert_int_equal(sign(strncmp(a, b, n)), n > k ? sign(want) : 0);
            free(b);
        }
        free(a);
    }
    assert_int_equal(strlen(""), 0);
    assert_int_equal(strlen("12345"), 5);
    char unterminated[3] = {'x', 'y', 'z'};
    assert_int_equal(strnlen(unterminated, 3), 3);
    assert_int_equal(strnlen("ab", 10), 2);
    assert_int_equal(strnlen(NULL, 0), 0);
    assert_int_equal(strncmp(unterminated, "xyz", 3), 0);
    const char *s = "hello";
    assert_ptr_equal(strchr(s, 'l'), s + 2);
    assert_ptr_equal(strchr(s, '\0'), s + 5);
    assert_ptr_equal(strchr(s, 'l' + 256), s + 2);
    assert_null(strchr(s, 'z'));
}

static void test_text_copy(void **state)
{
    (void)state;
    for (size_t size = 1; size < 9; size++) {
        char *dst = malloc(size);
        assert_int_equal(text_copy(dst, "hello", size), 5);
        size_t kept = size > 5 ? 5 : size - 1;
        assert_int_equal(strlen(dst), kept);
        assert_memory_equal(dst, "hello", kept);
        free(dst);
    }
}

static void test_starts_with(void **state)
{
    (void)state;
    assert_true(text_starts_with("loglevel=3", "loglevel="));
    assert_true(text_starts_with("x", ""));
    assert_true(text_starts_with("", ""));
    assert_false(text_starts_with("", "x"));
    assert_false(text_starts_with("log", "loglevel"));
    assert_false(text_starts_with("xlog", "log"));
}

static void test_parse(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int result;
        uint64_t value;
    } cases[] = {
        {"0", 0, 0},
        {"7", 0, 7},
        {"0123", 0, 123},
        {"18446744073709551615", 0, UINT64_MAX},
        {"18446744073709551616", -EINVAL, 0},
        {"18446744073709551620", -EINVAL, 0},
        {"99999999999999999999999999", -EINVAL, 0},
        {"0x0", 0, 0},
        {"0xdeadBEEF", 0, 0xdeadbeef},
        {"0XfF", 0, 0xff},
        {"0xffffffffffffffff", 0, UINT64_MAX},
        {"0x10000000000000000", -EINVAL, 0},
        {"0x00000000000000000000001", 0, 1},
        {"", -EINVAL, 0},
        {"0x", -EINVAL, 0},
        {"-1", -EINVAL, 0},
        {"+1", -EINVAL, 0},
        {" 1", -EINVAL, 0},
        {"1 ", -EINVAL, 0},
        {"12a", -EINVAL, 0},
        {"0xg", -EINVAL, 0},
        {"x1", -EINVAL, 0},
        {"\xff", -EINVAL, 0},
    };
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        uint64_t value = 42;
        char *text = exact(cases[i].text);
        assert_int_equal(text_parse_u64(text, &value), cases[i].result);
        assert_int_equal(value, cases[i].result == 0 ? cases[i].value : 42);
        free(text);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_memcpy_and_memset),
        cmocka_unit_test(test_memmove),
        cmocka_unit_test(test_memcmp),
        cmocka_unit_test(test_strings),
        cmocka_unit_test(test_text_copy),
        cmocka_unit_test(test_starts_with),
        cmocka_unit_test(test_parse),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
