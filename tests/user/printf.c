// SPDX-License-Identifier: MIT
/*
 * printf of every conversion with many flags, widths and precisions, and reading numbers back. The
 * formats are made at run time, so that the compiler does none of it.
 */
#include <float.h>
#include <limits.h>
#include <math.h>
#include <stdint.h>
#include <wchar.h>

#include "report.h"

#pragma GCC diagnostic ignored "-Wformat-nonliteral"
#pragma GCC diagnostic ignored "-Wformat"
#pragma GCC diagnostic ignored "-Wformat-truncation"

static const char *const FLAGS[] = {"",   "-",  "+",  " ",  "#",  "0",
                                    "-+", "+0", "# ", "#0", "-#", "+ #0-"};
static const char *const WIDTHS[] = {"", "1", "12", "30"};
static const char *const PRECISIONS[] = {"", ".", ".0", ".1", ".5", ".17"};

enum { TEXT_MAX = 512 };
#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static unsigned long long lines, sum = 14695981039346656037u;

/* All of it is too much to print: each line goes into a hash, and each 97th is shown, with control
 * characters and such as question marks. */
static void take(const char *format, char *text, int length)
{
    for (char *at = text; *at != '\0'; at++) {
        sum = (sum ^ (unsigned char)*at) * 1099511628211u;
        if (*at < ' ' || *at > '~')
            *at = '?';
    }
    if (lines++ % 97 == 0 || length != (int)strlen(text))
        (void)printf("%-14s [%s] %d\n", format, text, length);
}

#define EACH_FORMAT(conversion, value)                                                             \
    for (size_t f = 0; f < COUNT(FLAGS); f++)                                                      \
        for (size_t w = 0; w < COUNT(WIDTHS); w++)                                                 \
            for (size_t p = 0; p < COUNT(PRECISIONS); p++) {                                       \
                char format[32], text[TEXT_MAX];                                                   \
                (void)snprintf(format, sizeof(format), "%%%s%s%s%s", FLAGS[f], WIDTHS[w],          \
                               PRECISIONS[p], conversion);                                         \
                int length = snprintf(text, sizeof(text), format, value);                          \
                take(format, text, length);                                                        \
            }

static void end_of(const char *group)
{
    (void)printf("== %s: %llu lines so far, hash %016llx\n", group, lines, sum);
}

/* ---- conversions ----------------------------------------------------------------------------- */

static void integers(void)
{
    static const int INTS[] = {0, 1, -1, 9, 10, 42, -12345, INT_MAX, INT_MIN};
    static const char *const INT_CONVERSIONS[] = {"d",  "i",   "u",  "x",   "X", "o",
                                                  "hd", "hhd", "hu", "hhx", "c"};
    static const long long LONGS[] = {0, 1, -1, 1000000007, LLONG_MAX, LLONG_MIN};
    static const char *const LONG_CONVERSIONS[] = {"ld", "lld", "lu", "llx", "lX",
                                                   "lo", "jd",  "zu", "td",  "zx"};
    for (size_t c = 0; c < COUNT(INT_CONVERSIONS); c++) {
        for (size_t i = 0; i < COUNT(INTS); i++) {
            if (INT_CONVERSIONS[c][0] == 'c' && (INTS[i] & 0xff) == 0)
                continue; /* it would end the text */
            EACH_FORMAT(INT_CONVERSIONS[c], INTS[i])
        }
    }
    end_of("ints");
    for (size_t c = 0; c < COUNT(LONG_CONVERSIONS); c++) {
        for (size_t i = 0; i < COUNT(LONGS); i++)
            EACH_FORMAT(LONG_CONVERSIONS[c], LONGS[i])
    }
    end_of("longs");
}

static void doubles(void)
{
    static const char *const CONVERSIONS[] = {"f", "F", "e", "E", "g", "G", "a", "A"};
    const double values[] = {
        0.0,         -0.0,      1.0,       -1.5,        0.1,          2.5,
        3.5,         9.9999999, 99999.95,  123456789.0, 1e-5,         -1e100,
        M_PI,        1.0 / 3.0, DBL_MAX,   DBL_MIN,     DBL_TRUE_MIN, -DBL_TRUE_MIN * 12345,
        DBL_EPSILON, INFINITY,  -INFINITY, NAN};
    for (size_t c = 0; c < COUNT(CONVERSIONS); c++) {
        for (size_t i = 0; i < COUNT(values); i++)
            EACH_FORMAT(CONVERSIONS[c], values[i])
    }
    end_of("doubles");
}

static void long_doubles(void)
{
    static const char *const CONVERSIONS[] = {"Lf", "Le", "Lg", "La"};
    const long double values[] = {0.0L, 1.0L / 3.0L, -2.5L, LDBL_MIN, 1e300L, 1e-4000L};
    for (size_t c = 0; c < COUNT(CONVERSIONS); c++) {
        for (size_t i = 0; i < COUNT(values); i++)
            EACH_FORMAT(CONVERSIONS[c], values[i])
    }
    end_of("long doubles");
}

static void strings(void)
{
    static const char *const TEXTS[] = {"", "a", "hello, world",
                                        "longer than any of the widths here"};
    for (size_t i = 0; i < COUNT(TEXTS); i++)
        EACH_FORMAT("s", TEXTS[i])
    EACH_FORMAT("ls", L"wide")
    EACH_FORMAT("lc", (wint_t)L'w')
    EACH_FORMAT("p", (void *)0)
    EACH_FORMAT("p", (void *)0xdeadbeef)
    end_of("strings");
    char text[TEXT_MAX];
    (void)printf("[%*d] [%-*d] [%.*f] [%*.*s]\n", 7, 42, 7, 42, 3, M_PI, -9, 2, "star");
    (void)printf("[%2$s %1$s] [%3$*4$d]\n", "one", "two", 3, 6);
    (void)printf("[%%]\n");
    SHOW(snprintf(text, 4, "%s", "cut off here"));
    (void)printf("[%s]\n", text);
    SHOW(snprintf(NULL, 0, "%0100d", 7));
    errno = ENOENT;
    (void)printf("[%m]\n");
    SHOW(printf("%s\n", "a line") == 7);
}

/* A precision of a thousand digits is exact. */
static void very_long(void)
{
    static char text[2048];
    SHOW(snprintf(text, sizeof(text), "%.1074f", DBL_TRUE_MIN));
    (void)printf("%s\n", text);
    SHOW(snprintf(text, sizeof(text), "%.30f", DBL_MAX));
    (void)printf("%s\n", text);
    SHOW(snprintf(text, sizeof(text), "%500.200e", M_PI));
    (void)printf("%s\n", text);
}

/* ---- reading --------------------------------------------------------------------------------- */

static void round_trips(void)
{
    uint64_t state = 7;
    unsigned wrong_g = 0, wrong_a = 0, wrong_scan = 0;
    for (int i = 0; i < 20000; i++) {
        char text[64];
        double value, back = 0;
        state = state * 6364136223846793005u + 1442695040888963407u;
        memcpy(&value, &state, sizeof(value)); /* any bit pattern */
        if (isnan(value))
            continue;
        (void)snprintf(text, sizeof(text), "%.17g", value);
        wrong_g += strtod(text, NULL) != value;
        wrong_scan += sscanf(text, "%lf", &back) != 1 || back != value;
        (void)snprintf(text, sizeof(text), "%a", value);
        wrong_a += strtod(text, NULL) != value;
    }
    (void)printf("round trips gone wrong: %u %%g, %u %%a, %u scanf\n", wrong_g, wrong_a,
                 wrong_scan);
}

static void read_double(const char *text)
{
    char *end;
    errno = 0;
    double value = strtod(text, &end);
    (void)printf("strtod '%s': %a, rest '%s', %s\n", text, value, end, strerror(errno));
}

static void read_long(const char *text, int base)
{
    char *end;
    errno = 0;
    long value = strtol(text, &end, base);
    (void)printf("strtol '%s' base %d: %ld, rest '%s', %s\n", text, base, value, end,
                 strerror(errno));
}

static void reading(void)
{
    static const char *const DOUBLES[] = {"0",        "-0",
                                          "  1.5x",   "1e400",
                                          "-1e400",   "1e-400",
                                          "4.9e-324", "2.4e-324",
                                          "inf",      "-Infinity",
                                          "nan",      "nan(12)",
                                          "0x1.8p3",  "0x.8p-1",
                                          "1e",       ".",
                                          "+.5",      "2.2250738585072011e-308",
                                          "junk",     "9007199254740993",
                                          "0.1e-1z"};
    for (size_t i = 0; i < COUNT(DOUBLES); i++)
        read_double(DOUBLES[i]);
    read_long("  -42abc", 10);
    read_long("0x1F", 0);
    read_long("0777", 0);
    read_long("zz", 36);
    read_long("9223372036854775808", 10);
    read_long("-9223372036854775809", 10);
    read_long("12", 1);

    int a = 0, b = 0, used = 0;
    char word[16] = "", set[16] = "", letters[4] = "";
    SHOW(sscanf("12 -0x1f word [abc] xyz tail", "%d %i %15s [%15[a-c]] %3c%n", &a, &b, word, set,
                letters, &used));
    (void)printf("%d %d '%s' '%s' '%.3s' %d\n", a, b, word, set, letters, used);
    SHOW(sscanf("1,2", "%d,%*d,%d", &a, &b));
    SHOW(sscanf("", "%d", &a) == EOF);
    SHOW(sscanf("x", "%d", &a));
}

int main(void)
{
    report_by_lines();
    integers();
    doubles();
    long_doubles();
    strings();
    very_long();
    round_trips();
    reading();
    return 0;
}
