// SPDX-License-Identifier: MIT
/*
 * What exec.c and process.c know of each other; nobody else includes this file.
 */
#pragma once

#include "proc/process.h"

/*
 * Give a process its number and its place in the list, among its parent's children (NULL: nobody's)
 * and in its slot. Returns: 0; -EBUSY (the slot is taken), -ENOMEM (too many processes).
 * Locks: takes processes.
 */
int process_enlist(struct process *process, struct process *parent);

/* What its thread changes of what process_report() looks at is changed between these two.
 * Locks: takes, and gives back, processes. */
void process_change_begin(void);
void process_change_end(void);

/* Let its thread run. From here on the process may end and be gone at any moment. */
void process_begin(struct process *process);

/* Undo process_enlist(), for one that has not started. */
void process_delist(struct process *process);

/* Tell the parent that its memory is its own again (vfork). Context: the process's thread. */
void process_let_go(struct process *process);

/* The calling thread's process has ended: put away what it had, tell who asks, end the thread. */
__attribute__((noreturn)) void process_finish(void);

/* Wait until init has ended, or the end was asked for. */
void process_wait_init(struct process *init, struct process_end *end);
