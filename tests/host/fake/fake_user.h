// SPDX-License-Identifier: MIT
/*
 * The running program's memory in a host test (link tests/host/fake/user.c): the test's own, but
 * for one page that may be bad. A copy that meets it fails, and has moved half of what it was to
 * move in that page all the same, as when another core takes the page away just then.
 */
#pragma once

#include <stdint.h>

extern uintptr_t fake_bad_page; /* its address; 0: there is none */

/* A pointer as a system call gets it. */
static inline uintptr_t user(const void *pointer)
{
    return (uintptr_t)pointer;
}
