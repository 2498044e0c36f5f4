// SPDX-License-Identifier: MIT
/* What the library keeps to itself. */
#pragma once

/* What the stubs end with: a result of a gate as a C function gives it.
 * Returns: `result`, or -1 with errno set if it is an error number, -4095..-1. */
__attribute__((visibility("hidden"))) long carillon_result(long result);
