// SPDX-License-Identifier: MIT
/* links: src/lib/format.c src/lib/string.c */
/* flags: -include tests/host/fake/rename.h -Wno-format -Wno-format-extra-args */
/*
 * Formatted text, against libc's for what both promise, and by hand for what is ours alone.
 */
#include <setjmp.h>
#include <stdint.h>

#include <cmocka.h>

#include "lib/text.h"

enum { BUF = 256 };

/*
 * Both write the same, give the same length, and neither goes beyond `size` bytes. The arguments
 * are evaluated twice.
 */
#define SAME(size, ...)                                                                            \
    do {                                                                                           \
        size_t size_ = (size);                                                                     \
        char *ours_ = malloc(size_ > 0 ? size_ : 1), *theirs_ = malloc(size_ > 0 ? size_ : 1);     \
        int got_ = snprintf(ours_, size_, __VA_ARGS__);                                            \
        int want_ = libc_snprintf(theirs_, size_, __VA_ARGS__);                                    \
        if (got_ != want_ || (size_ > 0 && strcmp(ours_, theirs_) != 0))                           \
            fail_msg("ours \"%s\" (%d), libc's \"%s\" (%d)", size_ > 0 ? ours_ : "", got_,         \
                     size_ > 0 ? theirs_ : "", want_);                                             \
        free(ours_);                                                                               \
        free(theirs_);                                                                             \
    } while (0)

static uint64_t next_random(uint64_t *seed)
{
    *seed ^= *seed << 13;
    *seed ^= *seed >> 7;
    *seed ^= *seed << 17;
    return *seed;
}

/* A value of a random size, the edges often. */
static uint64_t random_value(uint64_t *seed)
{
    static const uint64_t edges[] = {0,         1,          9,         10,        127,
                                     128,       255,        INT16_MAX, INT32_MAX, UINT32_MAX,
                                     INT64_MAX, UINT64_MAX, 1ULL << 63};
    uint64_t r = next_random(seed);
    if (r % 4 == 0)
        return edges[r / 4 % (sizeof(edges) / sizeof(edges[0]))];
    return next_random(seed) >> (r / 4 % 64);
}

/* Append one conversion to fmt, `kind` one of its letters. */
static void random_conversion(char *fmt, const char *flags, const char *length, char kind,
                              uint64_t *seed)
{
    size_t n = strlen(fmt);
    fmt[n++] = '%';
    for (const char *f = flags; *f != '\0'; f++) {
        if (next_random(seed) % 4 == 0)
            fmt[n++] = *f;
    }
    if (next_random(seed) % 2 == 0)
        n += (size_t)libc_snprintf(fmt + n, BUF - n, "%u", (unsigned)(next_random(seed) % 30));
    if (next_random(seed) % 3 == 0)
        n += (size_t)libc_snprintf(fmt + n, BUF - n, ".%u", (unsigned)(next_random(seed) % 26));
    n += (size_t)libc_snprintf(fmt + n, BUF - n, "%s%c", length, kind);
}

static void test_random_numbers(void **state)
{
    (void)state;
    uint64_t seed = 0x9e3779b97f4a7c15;
    static const char *const lengths[] = {"hh", "h", "", "l", "ll", "z", "j", "t"};
    static const char kinds[] = "diuxXo";
    for (int i = 0; i < 200000; i++) {
        char fmt[BUF] = "a ";
        const char *length = lengths[next_random(&seed) % 8];
        char kind = kinds[next_random(&seed) % 6];
        /* '+' and ' ' mean nothing to unsigned conversions, '#' nothing to decimal ones */
        const char *flags = kind == 'd' || kind == 'i' ? "-0+ " : kind == 'u' ? "-0" : "-0#";
        random_conversion(fmt, flags, length, kind, &seed);
        libc_snprintf(fmt + strlen(fmt), 4, " b");
        uint64_t value = random_value(&seed);
        size_t size = next_random(&seed) % 4 == 0 ? next_random(&seed) % 40 : BUF;
        if (length[0] == 'h' || length[0] == '\0')
            SAME(size, fmt, (int)value);
        else
            SAME(size, fmt, value);
    }
}

static void test_random_strings(void **state)
{
    (void)state;
    uint64_t seed = 0x2545f4914f6cdd1d;
    static const char *const samples[] = {"", "x", "hello", "a somewhat longer text", "\x01\xff"};
    for (int i = 0; i < 50000; i++) {
        char fmt[BUF] = "<";
        random_conversion(fmt, "-", "", 's', &seed);
        random_conversion(fmt, "-", "", 's', &seed);
        libc_snprintf(fmt + strlen(fmt), 6, "> %%%%");
        const char *one = samples[next_random(&seed) % 5], *two = samples[next_random(&seed) % 5];
        SAME(next_random(&seed) % 100, fmt, one, two);
    }
}

static void test_by_hand(void **state)
{
    (void)state;
    SAME(BUF, "");
    SAME(BUF, "plain");
    SAME(0, "plain");
    SAME(1, "plain");
    SAME(BUF, "100%% of %d", 5);
    SAME(BUF, "%c%c|%3c|%-3c|", 'a', 'b', 'c', 'd');
    SAME(BUF, "%*d|%-*d|%*d", 6, 1, 6, 2, -6, 3);
    SAME(BUF, "%.*d|%.*d|%.*s", 3, 1, -3, 2, 2, "abc");
    SAME(BUF, "%.d|%.0d|%.0x|%#.0o|%#o|%#x", 0, 0, 0, 0, 0, 0);
    SAME(BUF, "%.3s", (const char[]){'a', 'b', 'c'}); /* not terminated */
    SAME(BUF, "%d %d %d %d %d %d %d %d %d %d", 1, 2, 3, 4, 5, 6, 7, 8, 9, 10);
    SAME(BUF, "%s %lu %hhd %zx %s", "mixed", 1UL << 40, 300, (size_t)0xabc, "end");
    SAME(8, "%20s", "x");
    SAME(8, "%-20s", "x");
    SAME(8, "%020d", 7);
    SAME(BUF, "%200000d", 1);
    char nul[4] = "zzz";
    assert_int_equal(snprintf(nul, 4, "%c", '\0'), 1);
    assert_memory_equal(nul, "\0\0zz", 2);
    assert_int_equal(snprintf(NULL, 0, "%d", 12345), 5);
}

#define OURS(want, ...)                                                                            \
    do {                                                                                           \
        char ours_[BUF];                                                                           \
        assert_int_equal(snprintf(ours_, sizeof(ours_), __VA_ARGS__), strlen(want));               \
        assert_string_equal(ours_, want);                                                          \
    } while (0)

static void test_ours(void **state)
{
    (void)state;
    OURS("0x0000000000000000", "%p", (void *)NULL);
    OURS("0xffffffff80001234", "%p", (void *)0xffffffff80001234);
    OURS("[  0x00000000deadbeef]", "[%20p]", (void *)0xdeadbeef);
    OURS("[0x00000000deadbeef  ]", "[%-20p]", (void *)0xdeadbeef);
    OURS("(null)", "%s", (const char *)NULL);
    OURS("(nu", "%.3s", (const char *)NULL);
    /* what there is not, as it stands; the arguments after it keep their places */
    OURS("%n", "%n");
    OURS("%q 5", "%q %d", 5);
    OURS("%-05.3lf 5", "%-05.3lf %d", 5);
    OURS("%", "%");
    OURS("a%", "a%");
    OURS("%-", "%-");
    OURS("%12", "%12");
    OURS("%.", "%.");
    OURS("%ll", "%ll");
    OURS("%h", "%h");
}

static void test_lengths_beyond_an_int(void **state)
{
    (void)state;
    char buf[4] = "zzz";
    assert_int_equal(snprintf(buf, 4, "%99999999999999999999d", 1), INT32_MAX);
    assert_string_equal(buf, "   ");
    assert_int_equal(snprintf(buf, 4, "%2147483647d%2147483647d", 1, 2), INT32_MAX);
    assert_int_equal(snprintf(buf, 4, "%.99999999999999999999d", 1), INT32_MAX);
    assert_string_equal(buf, "000");
    assert_int_equal(snprintf(buf, 4, "%*d", INT32_MIN, 1), INT32_MAX);
    assert_string_equal(buf, "1  ");
    assert_int_equal(snprintf(buf, 4, "%.*d", INT32_MIN, 1), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_random_numbers),
        cmocka_unit_test(test_random_strings),
        cmocka_unit_test(test_by_hand),
        cmocka_unit_test(test_ours),
        cmocka_unit_test(test_lengths_beyond_an_int),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
