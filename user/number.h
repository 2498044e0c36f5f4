// SPDX-License-Identifier: MIT
/* A number from a command line. */
#pragma once

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdlib.h>

/* Read all of `text` as a decimal int. Returns: false if it is none; *value is then unchanged. */
static inline bool read_number(const char *text, int *value)
{
    char *end;
    errno = 0;
    long number = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || number < INT_MIN || number > INT_MAX)
        return false;
    *value = (int)number;
    return true;
}
