// SPDX-License-Identifier: MIT
/* A new empty directory to work in: the program's first argument, or /tmp/x. */
#pragma once

#include <sys/stat.h>

#include "report.h"

static inline void scratch_enter(int argc, char **argv)
{
    const char *path = argc > 1 ? argv[1] : "/tmp/x";
    (void)mkdir("/tmp", 01777); /* perhaps there is none */
    if (mkdir(path, 0755) != 0 || chdir(path) != 0)
        report_broken(path);
    (void)umask(022);
}
