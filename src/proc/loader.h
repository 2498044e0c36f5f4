// SPDX-License-Identifier: MIT
/*
 * From a file to an address space in which a program can start.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "proc/arguments.h"
#include "proc/elf.h"

struct file;
struct space;

/* A program that can start. */
struct program {
    struct space *space;
    uintptr_t entry;
    uintptr_t stack;     /* the stack pointer at the entry */
    uintptr_t arguments; /* its strings, one behind the other, in the space */
    size_t argument_bytes;
    uintptr_t environment; /* its strings, one behind the other, in the space */
    size_t environment_bytes;
};

/*
 * Look at a file: is it a program that program_load() can load? `path` is what messages call it.
 * Returns: 0 and *image; else the log says why: -EISDIR, -EACCES (not executable), -ENOEXEC,
 * -ENOMEM. Context: thread. Sleeps: yes.
 */
int program_check(struct file *file, const char *path, struct elf_image *image);

/*
 * Make a space of the program in `file`, which was found good: its segments, and a stack that holds
 * the arguments, the environment and the auxiliary vector. The program may know its own path
 * (AT_EXECFN).
 * Returns: 0 and *program, whose space the caller has a reference to; else the log says why:
 * -ENOEXEC, -ENOMEM. Context: thread. Sleeps: yes.
 * Source: System V ABI, AMD64 supplement, "Process Initialization"
 */
int program_load(struct file *file, const char *path, const struct elf_image *image,
                 const struct arguments *arguments, struct program *program);
