// SPDX-License-Identifier: MIT
/* Signal numbers, as on Linux for x86_64, since its programs read them. */
#pragma once

enum {
    SIGNAL_ILL = 4,
    SIGNAL_TRAP = 5,
    SIGNAL_BUS = 7,
    SIGNAL_FPE = 8,
    SIGNAL_KILL = 9,
    SIGNAL_SEGV = 11,
};
