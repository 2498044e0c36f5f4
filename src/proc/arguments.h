// SPDX-License-Identifier: MIT
/*
 * What a program is started with: its arguments and its environment, as strings in one block.
 */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { ARGUMENTS_BYTES_MAX = 256 << 10 }; /* of strings, and of the pointers to them */

/* argc strings, then envc strings, each terminated, one behind the other. Begins as {0}. */
struct arguments {
    char *text;
    size_t bytes;
    size_t room; /* of text */
    size_t argc, envc;
};

/*
 * Add an argument; no string of the environment has been added yet.
 * Returns: 0, -E2BIG, -ENOMEM. Context: thread. Sleeps: no.
 */
int arguments_add(struct arguments *arguments, const char *word);

/*
 * Add the strings that an array of pointers in the calling program's memory names, which ends with
 * NULL, or is NULL itself: as arguments, or to the environment.
 * Returns: 0, -EFAULT, -E2BIG, -ENOMEM. Context: thread. Sleeps: no.
 */
int arguments_add_user(struct arguments *arguments, uintptr_t array);
int arguments_add_user_environment(struct arguments *arguments, uintptr_t array);

/*
 * Add the environment that lies as strings, one behind the other, in `bytes` bytes of the calling
 * program's memory. What is no longer a string there is passed over.
 * Returns: 0, -EFAULT, -E2BIG, -ENOMEM. Context: thread. Sleeps: no.
 */
int arguments_add_environment_block(struct arguments *arguments, uintptr_t start, size_t bytes);

/* Give the memory back. */
void arguments_free(struct arguments *arguments);
