// SPDX-License-Identifier: MIT
/*
 * From a file to an address space in which a program can start.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "vm/space.h"

struct loaded_program {
    uintptr_t entry;
    uintptr_t stack; /* the stack pointer at the entry */
};

/*
 * Fill the empty `space` with the program at `path`: its segments, and a stack that holds
 * argc, argv, an empty environment and the auxiliary vector.
 * Returns: 0, or as process_run(); on failure the log says why and the caller destroys the space.
 * Context: thread.
 * Source: System V ABI, AMD64 supplement, "Process Initialization"
 */
int program_load(const char *path, const char *const *args, size_t argc, struct space *space,
                 struct loaded_program *program);
