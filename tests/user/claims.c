// SPDX-License-Identifier: MIT
/*
 * Claims: results and errors of ipi_wait, and of the calls that meet a claim. Needs four cores;
 * with the argument `dead=C` core C does not answer. What another thread is to do, a child does:
 * the program itself, with a role for its first argument.
 */
#include <fcntl.h>
#include <sched.h>
#include <stdint.h>
#include <time.h>

#include "carillon_raw.h"
#include "expect.h"
#include "start.h"

enum {
    CORE = 1,
    OTHER = 3,
    V = 100,
    W = 101,
    GATE = 128,
    LOWEST = 32,
    HIGHEST = 238,
    ALL = -1,
    OTHERS = -2,
    MS = 1000000,
};

static const char *self;
static int dead = -1;

static long bind_to(int core)
{
    cpu_set_t set;
    CPU_ZERO(&set);
    CPU_SET(core, &set);
    return expect_errno(sched_setaffinity(0, sizeof(set), &set));
}

static long bind_to_all(void)
{
    cpu_set_t set;
    memset(&set, 0xff, sizeof(set));
    return expect_errno(sched_setaffinity(0, sizeof(set), &set));
}

static int64_t now_ns(void)
{
    struct timespec time;
    (void)clock_gettime(CLOCK_MONOTONIC, &time);
    return time.tv_sec * INT64_C(1000000000) + time.tv_nsec;
}

/* ---- roles ----------------------------------------------------------------------------------- */

/* On the same core, while the parent has V. */
static int role_rival(void)
{
    EXPECT(raw_ipi_wait(V, 0), -EBUSY);
    EXPECT(raw_ipi_wait(V, -1), -EBUSY);
    EXPECT(raw_unregister_ipi(V), -EPERM);
    EXPECT(raw_register_ipi(V), -EBUSY);
    EXPECT(raw_send_ipi(CORE, V), 0);
    EXPECT(raw_ipi_wait(W, 0), 0); /* its own ends with it */
    EXPECT(raw_send_ipi(CORE, W), 0);
    return (int)expect_failed;
}

/* On another core the vector is another's to claim. */
static int role_elsewhere(void)
{
    EXPECT(bind_to(OTHER), 0);
    EXPECT(raw_ipi_wait(V, 0), 0);
    EXPECT(raw_send_ipi(ALL, V), 2);
    EXPECT(raw_send_ipi(OTHERS, V), 1);
    EXPECT(raw_ipi_wait(V, -1), 1);
    EXPECT(raw_ipi_wait(V, 0), 0);
    return (int)expect_failed;
}

/* After execve the claim of the program before is gone; the affinity is still the same. */
static int role_after_exec(void)
{
    EXPECT(raw_send_ipi(CORE, W), -ENOENT);
    EXPECT(raw_ipi_wait(W, 0), 0);
    EXPECT(bind_to(OTHER), -EBUSY);
    EXPECT(raw_unregister_ipi(W), 0);
    EXPECT(bind_to(OTHER), 0);
    return (int)expect_failed;
}

static int role_before_exec(void)
{
    char *const argv[] = {(char *)self, "after-exec", NULL};
    EXPECT(raw_ipi_wait(W, 0), 0);
    EXPECT(raw_send_ipi(CORE, W), 0);
    if (expect_failed == 0)
        (void)execve(self, argv, environ);
    return 1;
}

/* Rings core CORE a hundred times, slowly: each wakes whoever waits. */
static int role_ring_slowly(void)
{
    EXPECT(bind_to(OTHER), 0);
    for (int i = 0; i < 100; i++) {
        EXPECT(raw_send_ipi(CORE, V), 0);
        (void)usleep(1000);
    }
    return (int)expect_failed;
}

/* Rings while the claim comes and goes: it is there, or it is not. */
static int role_ring_under_removal(void)
{
    int64_t end = now_ns() + INT64_C(2000) * MS;
    long sent = 0;
    EXPECT(bind_to(OTHER), 0);
    while (now_ns() < end) {
        long result = raw_send_ipi(CORE, V);
        sent += result == 0;
        if (result != -ENOENT)
            EXPECT(result, 0);
    }
    EXPECT(sent > 0, 1);
    return (int)expect_failed;
}

static const struct role {
    const char *name;
    int (*function)(void);
} ROLES[] = {
    {"rival", role_rival},
    {"elsewhere", role_elsewhere},
    {"before-exec", role_before_exec},
    {"after-exec", role_after_exec},
    {"ring-slowly", role_ring_slowly},
    {"ring-under-removal", role_ring_under_removal},
};

/* ---- cases ----------------------------------------------------------------------------------- */

static void form_of_arguments(void)
{
    EXPECT(raw_ipi_wait(V, 0), -EINVAL); /* it may run on several cores */
    EXPECT(raw_ipi_wait(V, -1), -EINVAL);
    EXPECT(bind_to(CORE), 0);
    EXPECT(raw_getcore(), CORE);
    EXPECT(raw_ipi_wait(LOWEST - 1, 0), -EINVAL);
    EXPECT(raw_ipi_wait(HIGHEST + 1, 0), -EINVAL);
    EXPECT(raw_ipi_wait(GATE, 0), -EINVAL);
    EXPECT(raw_ipi_wait(-1, 0), -EINVAL);
    EXPECT(raw_ipi_wait(V, -2), -EINVAL);
    EXPECT(raw_ipi_wait(V, INT64_MIN), -EINVAL);
    EXPECT(raw_unregister_ipi(V), -ENOENT); /* none of these has claimed anything */
    EXPECT(raw_send_ipi(CORE, V), -ENOENT);
}

static void counting(void)
{
    EXPECT(raw_ipi_wait(V, 0), 0);
    EXPECT(raw_send_ipi(CORE, V), 0);
    EXPECT(raw_ipi_wait(V, 0), 1); /* a ring to oneself has been taken by then */
    EXPECT(raw_ipi_wait(V, 0), 0);
    for (int i = 0; i < 1000; i++)
        EXPECT(raw_send_ipi(CORE, V), 0);
    EXPECT(raw_ipi_wait(V, -1), 1000);
    EXPECT(raw_send_ipi(ALL, V), 1);
    EXPECT(raw_ipi_wait(V, INT64_MAX), 1);
    EXPECT(raw_send_ipi(OTHERS, V), -ENOENT);
    EXPECT(raw_send_ipi(OTHER, V), -ENOENT);
    int64_t start = now_ns();
    EXPECT(raw_ipi_wait(V, 20 * MS), -ETIMEDOUT);
    EXPECT(now_ns() - start >= 20 * MS, 1);
    EXPECT(raw_ipi_wait(V, 1), -ETIMEDOUT);
    EXPECT(raw_send_ipi(CORE, V), 0); /* the claim has stayed */
    EXPECT(raw_ipi_wait(V, 20 * MS), 1);
}

static void held(void)
{
    EXPECT(raw_register_ipi(V), -EBUSY);
    EXPECT(bind_to(OTHER), -EBUSY);
    EXPECT(bind_to_all(), -EBUSY);
    EXPECT(bind_to(CORE), 0); /* no change */
    EXPECT(run_self(self, "rival", NULL), 0);
    EXPECT(raw_ipi_wait(V, -1), 1); /* the rival's ring */
    EXPECT(raw_unregister_ipi(W), -ENOENT);
    EXPECT(raw_ipi_wait(W, 0), 0); /* its claim and its ring are gone */
    EXPECT(raw_unregister_ipi(W), 0);
    EXPECT(run_self(self, "before-exec", NULL), 0);
}

/* The child's claim of V on another core stands beside the parent's. */
static void two_cores(void)
{
    EXPECT(run_self(self, "elsewhere", NULL), 0);
    EXPECT(raw_ipi_wait(V, -1), 2); /* it rang all, and then the others */
    EXPECT(raw_send_ipi(OTHER, V), -ENOENT);
    EXPECT(raw_unregister_ipi(V), 0);
    EXPECT(raw_unregister_ipi(V), -ENOENT);
    EXPECT(raw_send_ipi(CORE, V), -ENOENT);
}

static void message_handler(void)
{
    EXPECT(raw_register_ipi(V) > 0, 1);
    EXPECT(raw_ipi_wait(V, 0), -EBUSY);
    EXPECT(raw_unregister_ipi(V), 0);
    EXPECT(raw_ipi_wait(V, 0), 0);
    EXPECT(raw_unregister_ipi(V), 0);
}

/* All vectors at once, and again. */
static void all_vectors(void)
{
    for (int round = 0; round < 2; round++) {
        for (int vector = LOWEST; vector <= HIGHEST; vector++)
            EXPECT(raw_ipi_wait(vector, 0), vector == GATE ? -EINVAL : 0);
        for (int vector = LOWEST; vector <= HIGHEST; vector++)
            EXPECT(raw_send_ipi(CORE, vector), vector == GATE ? -EINVAL : 0);
        for (int vector = LOWEST; vector <= HIGHEST; vector++)
            EXPECT(raw_ipi_wait(vector, 0), vector == GATE ? -EINVAL : 1);
        for (int vector = LOWEST; vector <= HIGHEST; vector++)
            EXPECT(raw_unregister_ipi(vector), vector == GATE ? -EINVAL : 0);
    }
}

static void sleeping_for_rings(void)
{
    int status = -1;
    long got = 0;
    EXPECT(raw_ipi_wait(V, 0), 0);
    pid_t pid = start_self(self, "ring-slowly", NULL);
    while (got < 100) {
        long result = raw_ipi_wait(V, INT64_C(10000) * MS);
        EXPECT(result > 0, 1);
        if (result <= 0)
            break;
        got += result;
    }
    EXPECT(got, 100);
    EXPECT(waitpid(pid, &status, 0) == pid && status == 0, 1);
    EXPECT(raw_unregister_ipi(V), 0);
}

static void removal_under_fire(void)
{
    int status = -1;
    long rounds = 0;
    pid_t pid = start_self(self, "ring-under-removal", NULL);
    for (; waitpid(pid, &status, WNOHANG) == 0; rounds++) {
        EXPECT(raw_ipi_wait(V, 0) >= 0, 1);
        long got = raw_ipi_wait(V, 100000);
        EXPECT(got > 0 || got == -ETIMEDOUT, 1);
        EXPECT(raw_unregister_ipi(V), 0);
    }
    EXPECT(status, 0);
    EXPECT(rounds > 10, 1);
    EXPECT(raw_ipi_wait(V, 0), 0); /* nothing is left of it */
    EXPECT(raw_ipi_wait(V, MS), -ETIMEDOUT);
    EXPECT(raw_unregister_ipi(V), 0);
}

static void dead_core(void)
{
    EXPECT(raw_send_ipi(dead, V), -ENXIO);
    EXPECT(raw_exec_ap(open(self, O_RDONLY), dead), -ENXIO);
    EXPECT(bind_to(dead), -EINVAL);
}

int main(int argc, char **argv)
{
    report_by_lines();
    self = argv[0];
    for (size_t i = 0; argc > 1 && i < sizeof(ROLES) / sizeof(ROLES[0]); i++) {
        if (strcmp(argv[1], ROLES[i].name) == 0)
            return ROLES[i].function();
    }
    if (argc > 1 && sscanf(argv[1], "dead=%d", &dead) == 1)
        dead_core();
    form_of_arguments();
    counting();
    held();
    two_cores();
    message_handler();
    all_vectors();
    sleeping_for_rings();
    removal_under_fire();
    return expect_end("claims");
}
