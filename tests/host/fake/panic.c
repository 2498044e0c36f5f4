// SPDX-License-Identifier: MIT
/* panic() for host tests that do not test panic itself: see fake_panic.h. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "fake_panic.h"
#include "lib/log.h"
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

/* What linked code logs is not looked at, unless the test defines its own. */
__attribute__((weak)) void log_line(enum log_level level, const char *fmt, ...)
{
    (void)level;
    (void)fmt;
}

__attribute__((weak)) void log_drain(void)
{
}
