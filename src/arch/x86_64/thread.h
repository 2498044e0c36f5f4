// SPDX-License-Identifier: MIT
/*
 * The thread whose registers are in this core.
 */
#pragma once

#include "arch/arch.h"

DECLARE_PERCPU(struct arch_thread *, arch_current);
