// SPDX-License-Identifier: MIT
/*
 * Copies between the kernel and the program that runs on this core. The program's addresses are
 * numbers until they have been checked; a page that is not there, or not writable, is an error,
 * never a fault of the kernel's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Does [address, address + bytes) lie in the programs' range, without wrapping? Context: any. */
bool user_range_ok(uintptr_t address, size_t bytes);

/*
 * Copy from, or to, the running program.
 * Returns: 0, or -EFAULT; the bytes before the bad one may have been copied.
 * Context: thread. Sleeps: no.
 */
int copy_from_user(void *dst, uintptr_t src, size_t bytes);
int copy_to_user(uintptr_t dst, const void *src, size_t bytes);

/*
 * Copy a string from the running program into the `size` bytes at dst, terminator included.
 * Returns: its length, or -EFAULT, -ENAMETOOLONG (it does not fit). Context: thread.
 */
long copy_string_from_user(char *dst, uintptr_t src, size_t size);

/* As copy_from_user, but returns how many bytes could be copied, 0..bytes. */
size_t copy_from_user_partly(void *dst, uintptr_t src, size_t bytes);
