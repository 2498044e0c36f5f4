// SPDX-License-Identifier: MIT
/*
 * rings [RINGS STOP]: rings of one vector from each of four cores to each other, 100,000 or RINGS:
 * none is lost, none made up. With STOP round upon round, until there is a file of that name.
 */
#include <fcntl.h>
#include <stdbool.h>
#include <sys/stat.h>

#include "carillon_raw.h"
#include "report.h"
#include "rings.h"

/* Read what a ringer says, when it has said it. */
static void result_of(int core, long *got, long *sent)
{
    char name[64];
    FILE *file;
    (void)snprintf(name, sizeof(name), PLACE "/result-%d", core);
    while ((file = fopen(name, "r")) == NULL)
        (void)usleep(10000);
    if (fscanf(file, "%ld %ld", got, sent) != 2)
        report_broken(name);
    (void)fclose(file);
}

/* What the last round left goes; what the ringers are to know comes. */
static void prepare(long rings)
{
    static const char *const kinds[] = {"ready", "sent", "result"};
    for (int core = 0; core < CORES; core++) {
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            char name[64];
            (void)snprintf(name, sizeof(name), PLACE "/%s-%d", kinds[i], core);
            (void)unlink(name);
        }
    }
    FILE *file = fopen(PLACE "/rings", "w");
    if (file == NULL)
        report_broken(PLACE "/rings");
    (void)fprintf(file, "%ld\n", rings);
    (void)fclose(file);
}

/* The core's slot may still have the last round's ringer, which has said what it had to say. */
static void start_ringer(int core)
{
    long result;
    while ((result = raw_exec_ap(open("/bin/ringer", O_RDONLY), core)) == -EBUSY)
        (void)usleep(1000);
    if (result != 0) {
        errno = (int)-result;
        report_broken("exec_ap");
    }
}

/* Returns: how many cores got or sent another number than was due. */
static int round_of(long rings, bool told)
{
    int wrong = 0;
    prepare(rings);
    for (int core = 0; core < CORES; core++)
        start_ringer(core);
    for (int core = 0; core < CORES; core++) {
        long got, sent, expected = (CORES - 1) * rings;
        bool right;
        result_of(core, &got, &sent);
        right = sent == expected && got == expected;
        if (told || !right)
            (void)printf("core %d: %ld rings sent, %ld received\n", core, sent, got);
        wrong += !right;
    }
    return wrong;
}

int main(int argc, char **argv)
{
    int wrong = 0, rounds = 0;
    report_by_lines();
    (void)mkdir("/tmp", 01777);
    MUST(mkdir(PLACE, 0755));
    if (argc < 3)
        return round_of(RINGS, true);
    do {
        wrong += round_of(atol(argv[1]), false);
        rounds++;
    } while (access(argv[2], F_OK) != 0);
    (void)printf("rings: %d rounds, %d wrong\n", rounds, wrong);
    return wrong;
}
