// SPDX-License-Identifier: MIT
/* Where a program runs: affinity, the core it finds itself on, giving the core to others. */
#include <sched.h>
#include <stdbool.h>
#include <sys/syscall.h>

#include "start.h"

enum { TRIES = 2000, CORES_MAX = CPU_SETSIZE };

static cpu_set_t allowed;

/* Whether the program stays on the core, whatever else it does. */
static bool stays_on(unsigned core)
{
    for (int i = 0; i < TRIES; i++) {
        unsigned now = ~0u, node = ~0u;
        if (syscall(SYS_getcpu, &now, &node, NULL) != 0 || now != core || node == ~0u)
            return false;
        (void)sched_yield();
    }
    return true;
}

static cpu_set_t only(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return set;
}

/* On each core in turn: the mask is what was set, and so is the child's. */
static void each_core(const char *self)
{
    bool is_set = true, stays = true, same_mask = true, child = true;
    for (int core = 0; core < CORES_MAX; core++) {
        char word[8];
        cpu_set_t set = only(core), now;
        if (!CPU_ISSET(core, &allowed))
            continue;
        is_set &= sched_setaffinity(0, sizeof(set), &set) == 0;
        stays &= stays_on((unsigned)core);
        same_mask &= sched_getaffinity(0, sizeof(now), &now) == 0 && CPU_EQUAL(&set, &now);
        (void)snprintf(word, sizeof(word), "%d", core);
        child &= run_self(self, "stays-on", word) == 0;
    }
    HOLDS(is_set);
    HOLDS(stays);
    HOLDS(same_mask);
    HOLDS(child);
}

static void errors(void)
{
    cpu_set_t none, one = only(CORES_MAX - 1), wide;
    unsigned char byte = 1;
    CPU_ZERO(&none);
    SHOW(sched_setaffinity(0, sizeof(none), &none));
    SHOW(sched_setaffinity(0, sizeof(one), &one)); /* no such core */
    SHOW(sched_setaffinity(0x3fffffff, sizeof(allowed), &allowed));
    SHOW(sched_setaffinity(0, sizeof(allowed), NOWHERE));
    SHOW(sched_setaffinity(0, 0, &allowed));
    SHOW(syscall(SYS_sched_getaffinity, 0, 1, &byte));
    SHOW(syscall(SYS_sched_getaffinity, 0, 9, &wide));
    SHOW(syscall(SYS_sched_getaffinity, 0x3fffffff, sizeof(wide), &wide));
    SHOW(syscall(SYS_sched_getaffinity, 0, sizeof(wide), NOWHERE));
    HOLDS(syscall(SYS_sched_getaffinity, 0, sizeof(wide), &wide) > 0);
    SHOW(sched_setaffinity(getpid(), sizeof(allowed), &allowed));
    CPU_SET(CORES_MAX - 1, &allowed); /* what is not there does not matter beside others */
    SHOW(sched_setaffinity(0, sizeof(allowed), &allowed));
    SHOW(syscall(SYS_getcpu, NULL, NULL, NULL));
    SHOW(syscall(SYS_getcpu, NOWHERE, NULL, NULL));
    SHOW(syscall(SYS_getcpu, NULL, NOWHERE, NULL));
    SHOW(sched_yield());
}

int main(int argc, char **argv)
{
    report_by_lines();
    if (argc > 1 && strcmp(argv[1], "stays-on") == 0)
        return stays_on((unsigned)atoi(argv[2])) ? 0 : 1;
    MUST(sched_getaffinity(0, sizeof(allowed), &allowed));
    HOLDS(CPU_COUNT(&allowed) > 0);
    each_core(argv[0]);
    MUST(sched_setaffinity(0, sizeof(allowed), &allowed));
    errors();
    return 22;
}
