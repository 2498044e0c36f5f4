// SPDX-License-Identifier: MIT
/*
 * How this system calls itself: uname(2) and /proc/version.
 */
#pragma once

#define SYSTEM_NAME "Carillon"
/* programs compare it with the Linux that they need: what is here came with that one */
#define SYSTEM_RELEASE "6.1.0-carillon"
#define SYSTEM_VERSION "#1 SMP"
