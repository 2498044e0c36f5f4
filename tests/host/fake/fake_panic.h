// SPDX-License-Identifier: MIT
/*
 * A panic in a host test (link tests/host/fake/panic.c). If fake_panic_jump is set, panic() keeps
 * its text in fake_panic_text, clears the pointer and jumps there with 1; else it prints the text
 * and aborts, which fails the test.
 *
 *     jmp_buf env;
 *     fake_panic_jump = &env;
 *     if (setjmp(env) == 0) {
 *         page_free(pa, 0);
 *         fail_msg("no panic");
 *     }
 */
#pragma once

#include <setjmp.h>

extern jmp_buf *fake_panic_jump;
extern char fake_panic_text[256];
