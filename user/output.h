// SPDX-License-Identifier: MIT
/* Whether what a program printed has come out. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

/* Write what is left to the standard output. Returns: false, having said why, if any of it was
 * lost. */
static inline bool bring_output_out(const char *program)
{
    if (fflush(stdout) == 0 && !ferror(stdout))
        return true;
    perror(program);
    return false;
}
