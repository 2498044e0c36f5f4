// SPDX-License-Identifier: MIT
/*
 * Text helpers of our own, beside those that ISO C defines (string.c).
 */
#include "lib/text.h"

#include "lib/errno.h"

size_t text_copy(char *dst, const char *src, size_t size)
{
    size_t length = strlen(src);
    size_t fits = length < size ? length : size - 1;
    memcpy(dst, src, fits);
    dst[fits] = '\0';
    return length;
}

bool text_starts_with(const char *s, const char *prefix)
{
    return strncmp(s, prefix, strlen(prefix)) == 0;
}

/* The value of c as a digit of `base` (10 or 16), or -1. */
static int digit_value(char c, unsigned base)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (base == 16 && c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (base == 16 && c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
}

int text_parse_u64(const char *s, uint64_t *value)
{
    unsigned base = 10;
    if (s[0] == '0' && (s[1] == 'x' || s[1] == 'X')) {
        base = 16;
        s += 2;
    }
    if (*s == '\0')
        return -EINVAL;

    uint64_t sum = 0;
    for (; *s != '\0'; s++) {
        int digit = digit_value(*s, base);
        if (digit < 0 || __builtin_mul_overflow(sum, (uint64_t)base, &sum) ||
            __builtin_add_overflow(sum, (uint64_t)digit, &sum))
            return -EINVAL;
    }
    *value = sum;
    return 0;
}
