// SPDX-License-Identifier: MIT
/* panic() for host tests that do not test panic itself: see fake_panic.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_panic.h"
#include "lib/panic.h"

jmp_buf *fake_panic_jump;
char fake_panic_text[256];

void panic(const char *fmt, ...)
{
    va_list ap;
    va_start(ap, fmt);
    vsnprintf(fake_panic_text, sizeof(fake_panic_text), fmt, ap);
    va_end(ap);
    if (fake_panic_jump != NULL) {
        jmp_buf *jump = fake_panic_jump;
        fake_panic_jump = NULL;
        longjmp(*jump, 1);
    }
    fprintf(stderr, "panic: %s\n", fake_panic_text);
    abort();
}

bool panic_is_here(void)
{
    return false;
}
