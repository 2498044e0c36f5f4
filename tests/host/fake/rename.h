// SPDX-License-Identifier: MIT
/*
 * For the tests of the kernel's own string and format functions, given with -include before all
 * else: the kernel's functions are compiled as kernel_*, beside libc's, which the test reaches as
 * libc_* to compare with.
 */
#pragma once

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int libc_snprintf(char *buf, size_t size, const char *fmt, ...) __asm__("snprintf");

#define memcpy kernel_memcpy
#define memmove kernel_memmove
#define memset kernel_memset
#define memcmp kernel_memcmp
#define strlen kernel_strlen
#define strnlen kernel_strnlen
#define strcmp kernel_strcmp
#define strncmp kernel_strncmp
#define strchr kernel_strchr
#define vsnprintf kernel_vsnprintf
#define snprintf kernel_snprintf
