// SPDX-License-Identifier: MIT
/*
 * Memory and strings: the four functions that the compiler itself calls, and the few that the
 * kernel needs. Semantics as in ISO C unless said otherwise. string.c holds those that libc names,
 * text.c our own, format.c the formatted text.
 *
 * Context: any, for all of this file. Sleeps: no. Locks: none.
 */
#pragma once

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void *memcpy(void *restrict dst, const void *restrict src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);

size_t strlen(const char *s);
/* Length of s, but at most max: s need not be terminated within max bytes. */
size_t strnlen(const char *s, size_t max);
int strcmp(const char *a, const char *b);
int strncmp(const char *a, const char *b, size_t n);
char *strchr(const char *s, int c);

/*
 * Copy src into the `size` bytes at dst, always terminated (size > 0).
 * Returns: the length of src; a result >= size means that it was cut.
 */
size_t text_copy(char *dst, const char *src, size_t size);

/* Does s begin with prefix? */
bool text_starts_with(const char *s, const char *prefix);

/*
 * Read an unsigned number, decimal or 0x-hexadecimal, that is the whole of s.
 * Returns: 0 and *value, or -EINVAL (empty, a foreign character, over 64 bits; *value untouched).
 */
int text_parse_u64(const char *s, uint64_t *value);

/*
 * Formatted text into the `size` bytes at buf, always terminated if size > 0.
 * Conversions: %d %i %u %x %X %o %c %s %p %%, flags - 0 + space #, width and precision (also *),
 * lengths hh h l ll z j t. %p prints 0x and 16 digits. No floating point, no %n; an unknown
 * conversion is printed as it stands.
 * Returns: the length that the whole text has, as in C; INT32_MAX if it is longer than that.
 */
int vsnprintf(char *buf, size_t size, const char *fmt, va_list ap)
    __attribute__((format(printf, 3, 0)));
int snprintf(char *buf, size_t size, const char *fmt, ...) __attribute__((format(printf, 3, 4)));
