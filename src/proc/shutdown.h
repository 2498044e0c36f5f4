// SPDX-License-Identifier: MIT
/*
 * A program asks for the machine's end.
 */
#pragma once

#include <stdbool.h>

enum shutdown { SHUTDOWN_NONE, SHUTDOWN_POWER_OFF, SHUTDOWN_HALT, SHUTDOWN_RESTART };

/* Have the first thread end all. Context: thread. Sleeps: yes, for ever. Never returns. */
__attribute__((noreturn)) void shutdown_request(enum shutdown how);

/* What was asked for. Context: any. */
enum shutdown shutdown_requested(void);
