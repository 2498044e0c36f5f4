// SPDX-License-Identifier: MIT
/*
 * For self-tests with delays (smp/delay_selftest.c, smp/log_selftest.c).
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "lib/delay.h"

/*
 * Switch delays on and the scan off, and note the seed.
 * Returns: false, with the test skipped, in the plain kernel and on a single core.
 * Context: thread, in a self-test.
 */
bool delay_test_begin(const struct delays *delays);

/* The opposite. Context: thread. */
void delay_test_end(void);
