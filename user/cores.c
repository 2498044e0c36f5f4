// SPDX-License-Identifier: MIT
/*
 * cores: the cores of this machine, from /proc/cores: index, APIC id, whether it is online, how
 * many timer ticks it took; and from /proc/stat what part of its time it was busy.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define CORES "/proc/cores"
#define STAT "/proc/stat"
enum { FIELDS = 10, LINE_MAX_BYTES = 256, IDLE = 3 };

static FILE *open_file(const char *path)
{
    FILE *file = fopen(path, "r");
    if (file == NULL) {
        perror(path);
        exit(1);
    }
    return file;
}

/* The line `cpuN`: times in ten kinds. Returns: what part of them was not idle, in %; or -1. */
static double busy_percent(int core)
{
    char line[LINE_MAX_BYTES], name[16];
    double percent = -1;
    FILE *file = open_file(STAT);
    (void)snprintf(name, sizeof(name), "cpu%d ", core);
    while (fgets(line, sizeof(line), file) != NULL) {
        if (strncmp(line, name, strlen(name)) != 0)
            continue;
        char *at = line + strlen(name);
        double all = 0, idle = 0;
        for (int i = 0; i < FIELDS; i++) {
            double ticks = (double)strtoull(at, &at, 10);
            all += ticks;
            idle += i == IDLE ? ticks : 0;
        }
        percent = all > 0 ? 100 * (all - idle) / all : 0;
    }
    (void)fclose(file);
    return percent;
}

int main(int argc, char **argv)
{
    (void)argv;
    if (argc > 1) {
        (void)fprintf(stderr, "usage: cores\n");
        return 2;
    }
    char line[LINE_MAX_BYTES], state[16];
    int core, id;
    unsigned long long ticks;
    FILE *file = open_file(CORES);
    printf("core  APIC id  state         ticks    busy\n");
    while (fgets(line, sizeof(line), file) != NULL) {
        if (sscanf(line, "%d %d %15s %llu", &core, &id, state, &ticks) != 4)
            continue; /* the heading */
        printf("%4d  %7d  %-7s  %10llu", core, id, state, ticks);
        double percent = busy_percent(core);
        if (percent >= 0)
            printf("  %5.1f%%", percent);
        printf("\n");
    }
    (void)fclose(file);
    if (fflush(stdout) == 0)
        return 0;
    perror("cores");
    return 1;
}
