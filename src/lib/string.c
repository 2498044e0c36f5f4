// SPDX-License-Identifier: MIT
/*
 * Memory and strings as ISO C defines them ("String handling <string.h>").
 *
 * gcc calls memcpy, memmove, memset and memcmp by itself, for instance to copy a struct. It would
 * also recognise the loops below as these very functions and make each call itself, so their
 * pointers are hidden from it. Whole words are moved at any alignment; the type says so.
 *
 * The file holds nothing but functions that libc has too, so that a host test may leave it out.
 */
#include "lib/text.h"

#include "arch/arch.h"

/* A word at any address, over data of any type. */
typedef uint64_t __attribute__((may_alias, aligned(1))) loose_word;

/* From LONG bytes on the string instructions of the CPU are faster than a loop. */
enum { WORD = sizeof(loose_word), LONG = 16 * WORD };

/* The compiler no longer knows what the pointer was, and leaves the loop around it as it is. */
static inline void hide_pointer(unsigned char **p)
{
    __asm__("" : "+r"(*p));
}

static void *copy_upward(unsigned char *dst, const unsigned char *src, size_t n)
{
    unsigned char *d = dst;
    if (n >= LONG) {
        arch_copy_words(d, src, n / WORD);
        d += n - n % WORD;
        src += n - n % WORD;
        n %= WORD;
    }
    for (; n >= WORD; n -= WORD, d += WORD, src += WORD) {
        *(loose_word *)d = *(const loose_word *)src;
        hide_pointer(&d);
    }
    for (; n > 0; n--) {
        *d++ = *src++;
        hide_pointer(&d);
    }
    return dst;
}

static void *copy_downward(unsigned char *dst, const unsigned char *src, size_t n)
{
    unsigned char *d = dst + n;
    src += n;
    for (; n >= WORD; n -= WORD) {
        d -= WORD;
        src -= WORD;
        *(loose_word *)d = *(const loose_word *)src;
        hide_pointer(&d);
    }
    for (; n > 0; n--) {
        *--d = *--src;
        hide_pointer(&d);
    }
    return dst;
}

void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    return copy_upward(dst, src, n);
}

void *memmove(void *dst, const void *src, size_t n)
{
    /* upward is safe unless dst begins inside src; the difference wraps when dst lies below */
    if ((uintptr_t)dst - (uintptr_t)src >= n)
        return copy_upward(dst, src, n);
    return copy_downward(dst, src, n);
}

void *memset(void *dst, int c, size_t n)
{
    unsigned char *d = dst;
    loose_word word = (unsigned char)c * UINT64_C(0x0101010101010101);
    if (n >= LONG) {
        arch_fill_words(d, word, n / WORD);
        d += n - n % WORD;
        n %= WORD;
    }
    for (; n >= WORD; n -= WORD, d += WORD) {
        *(loose_word *)d = word;
        hide_pointer(&d);
    }
    for (; n > 0; n--) {
        *d++ = (unsigned char)c;
        hide_pointer(&d);
    }
    return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *x = a, *y = b;
    for (; n >= WORD && *(const loose_word *)x == *(const loose_word *)y; n -= WORD) {
        x += WORD;
        y += WORD;
    }
    for (; n > 0; n--, x++, y++) {
        if (*x != *y)
            return *x - *y;
    }
    return 0;
}

size_t strlen(const char *s)
{
    return strnlen(s, SIZE_MAX);
}

size_t strnlen(const char *s, size_t max)
{
    size_t n = 0;
    while (n < max && s[n] != '\0')
        n++;
    return n;
}

int strcmp(const char *a, const char *b)
{
    return strncmp(a, b, SIZE_MAX);
}

int strncmp(const char *a, const char *b, size_t n)
{
    for (; n > 0; n--, a++, b++) {
        unsigned char x = (unsigned char)*a, y = (unsigned char)*b;
        if (x != y)
            return x - y;
        if (x == '\0')
            return 0;
    }
    return 0;
}

char *strchr(const char *s, int c)
{
    for (; *s != (char)c; s++) {
        if (*s == '\0')
            return NULL;
    }
    return (char *)(uintptr_t)s; /* ISO C drops the const here */
}
