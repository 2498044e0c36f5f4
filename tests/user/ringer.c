// SPDX-License-Identifier: MIT
/*
 * Started by rings.c on each of four cores with exec_ap: claims a vector on its core, rings those
 * of the others, and counts what it gets. It has no arguments; what there is to say, how many rings
 * among it, goes through files.
 */
#include <fcntl.h>

#include "carillon_raw.h"
#include "report.h"
#include "rings.h"

static int core;

static void say_to(const char *kind, long got, long sent)
{
    char made[64], name[64];
    (void)snprintf(made, sizeof(made), "making-%s-%d", kind, core);
    (void)snprintf(name, sizeof(name), "%s-%d", kind, core);
    FILE *file = fopen(made, "w");
    if (file == NULL)
        exit(EXIT_FAILURE);
    (void)fprintf(file, "%ld %ld\n", got, sent);
    (void)fclose(file);
    (void)rename(made, name); /* whoever finds it, finds it whole */
}

__attribute__((noreturn)) static void give_up(const char *why, long result)
{
    say_to("result", result, -1);
    errno = (int)-result;
    report_broken(why);
}

static void wait_for_all(const char *kind)
{
    for (int other = 0; other < CORES; other++) {
        char name[64];
        (void)snprintf(name, sizeof(name), "%s-%d", kind, other);
        while (access(name, F_OK) != 0)
            (void)usleep(1000);
    }
}

/* What has come since the last call. */
static long take(int64_t timeout_ns)
{
    long got = raw_ipi_wait(VECTOR, timeout_ns);
    if (got < 0 && got != -ETIMEDOUT)
        give_up("ipi_wait", got);
    return got > 0 ? got : 0;
}

static long wanted_rings(void)
{
    long rings;
    FILE *file = fopen("rings", "r");
    if (file == NULL || fscanf(file, "%ld", &rings) != 1)
        exit(EXIT_FAILURE);
    (void)fclose(file);
    return rings;
}

int main(void)
{
    long got = 0, sent = 0;
    core = (int)raw_getcore();
    if (chdir(PLACE) != 0)
        exit(EXIT_FAILURE);
    const long rings = wanted_rings(), expected = (CORES - 1) * rings;
    got += take(0);
    say_to("ready", got, sent);
    wait_for_all("ready");
    for (long i = 0; i < rings; i++) {
        for (int other = 0; other < CORES; other++) {
            long result = other == core ? 0 : raw_send_ipi(other, VECTOR);
            if (result != 0)
                give_up("send_ipi", result);
            sent += other != core;
        }
        if (i % TAKE_EACH == 0)
            got += take(0);
    }
    say_to("sent", got, sent);
    for (long more = 1; got < expected && more > 0; got += more)
        more = take(WAIT_NS);
    wait_for_all("sent");
    got += take(0); /* not one too many */
    if (raw_getcore() != core)
        give_up("it was moved", -ENXIO);
    say_to("result", got, sent);
    return 0;
}
