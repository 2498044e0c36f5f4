// SPDX-License-Identifier: MIT
/*
 * Signals that a process sends to itself. None goes to a function of the program: what is not
 * ignored or held back has its default effect.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/signal.h"

/* Sets of signals: bit n - 1 is signal n. */
struct signals {
    uint64_t blocked; /* they wait */
    uint64_t ignored; /* they have no effect */
    uint64_t pending; /* they have been sent, and wait */
};

/*
 * Let the signal take effect on the calling process, perhaps its end.
 * Returns: 0; -EINVAL (no such signal), -ENOSYS (it would stop the process).
 * Context: thread, in a system call.
 */
int signal_self(int signal);

/* Block exactly `set`; what has waited and is no longer in it takes effect. Context: as above. */
void signals_block(uint64_t set);

/* Ignore a signal, or no longer. Returns: 0; -EINVAL (no such signal, or not that one). */
int signal_ignore(int signal, bool ignore);
