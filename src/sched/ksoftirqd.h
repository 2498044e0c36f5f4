// SPDX-License-Identifier: MIT
/*
 * ksoftirqd/N: the thread of core N that goes on with softirqs when they have taken too long at the
 * end of an interrupt. It is bound to its core, has the same rights as any thread, and is made when
 * its core first needs it.
 */
#pragma once

/* From now on softirqs are left to it. Context: boot cpu only, kthreadd runs. */
void ksoftirqd_start(void);
