// SPDX-License-Identifier: MIT
#include "test.h"

#include <stdarg.h>
#include <stdbool.h>

enum { LINE_MAX = 4608, EXIT_USAGE = 64 };

struct line {
    char text[LINE_MAX];
    size_t length;
};

static void put(struct line *line, char c)
{
    if (line->length < sizeof(line->text))
        line->text[line->length++] = c;
}

static void put_text(struct line *line, const char *text)
{
    while (*text != '\0')
        put(line, *text++);
}

static void put_unsigned(struct line *line, unsigned long value, unsigned base)
{
    if (value >= base)
        put_unsigned(line, value / base, base);
    put(line, "0123456789abcdef"[value % base]);
}

static void put_signed(struct line *line, long value)
{
    if (value < 0)
        put(line, '-');
    put_unsigned(line, value < 0 ? 0 - (unsigned long)value : (unsigned long)value, 10);
}

void say(const char *format, ...)
{
    struct line line = {.length = 0};
    va_list ap;
    va_start(ap, format);
    for (const char *at = format; *at != '\0'; at++) {
        if (*at != '%')
            put(&line, *at);
        else if (*++at == 'd')
            put_signed(&line, va_arg(ap, long));
        else if (*at == 'x')
            put_unsigned(&line, va_arg(ap, unsigned long), 16);
        else
            put_text(&line, va_arg(ap, const char *));
    }
    va_end(ap);
    put(&line, '\n');
    (void)raw_write(STDOUT, line.text, line.length);
}

long number(const char **at)
{
    bool negative = **at == '-';
    long value = 0;
    *at += negative;
    for (; **at >= '0' && **at <= '9'; ++*at)
        value = value * 10 + (**at - '0');
    return negative ? -value : value;
}

int same(const char *a, const char *b)
{
    while (*a != '\0' && *a == *b) {
        a++;
        b++;
    }
    return *a == *b;
}

long option(char **argv, const char *key)
{
    for (; *argv != NULL; argv++) {
        const char *at = *argv, *k = key;
        while (*k != '\0' && *at == *k) {
            at++;
            k++;
        }
        if (*k == '\0' && *at++ == '=')
            return number(&at);
    }
    say("this program needs the argument %s=NUMBER", key);
    raw_exit(EXIT_USAGE);
    return 0;
}

void spin(uint64_t ticks)
{
    uint64_t start = __builtin_ia32_rdtsc();
    while (__builtin_ia32_rdtsc() - start < ticks)
        __builtin_ia32_pause();
}

/* What the compiler itself calls. */
void *memset(void *to, int c, size_t n);
void *memset(void *to, int c, size_t n)
{
    void *at = to;
    __asm__ volatile("rep stosb" : "+D"(at), "+c"(n) : "a"(c) : "memory");
    return to;
}

void *memcpy(void *restrict to, const void *restrict from, size_t n);
void *memcpy(void *restrict to, const void *restrict from, size_t n)
{
    void *at = to;
    __asm__ volatile("rep movsb" : "+D"(at), "+S"(from), "+c"(n) : : "memory");
    return to;
}
