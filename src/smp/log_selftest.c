// SPDX-License-Identifier: MIT
/*
 * The log under fire: all cores write, NMIs write in between, one reader follows. Every line that
 * comes is whole and in its writer's order, and every other one is counted as missed.
 */
#include <stdatomic.h>

#include "lib/log.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "smp/cores.h"

enum { LINES_PER_CORE = 20000, NUMBER_DIGITS = 6, CORE_DIGITS = 3, LINE_BUFFER = 256 };

static const char line_text[] = "selftest line ";
static const char filler[] = " abcdefghijklmnopqrstuvwxyz0123456789"
                             " abcdefghijklmnopqrstuvwxyz0123456789"
                             " abcdefghijklmnopqrstuvwxyz0123456789"; /* more than one slot */

static void write_lines(void *arg)
{
    (void)arg;
    for (unsigned i = 0; i < LINES_PER_CORE; i++)
        log_info("%s%06u %03u%s", line_text, i, arch_cpu(), i % 2 == 0 ? "" : filler);
}

struct reading {
    uint64_t lines;  /* of the writers, whole */
    uint64_t others; /* NMIs' lines, and whatever else the kernel says meanwhile */
    uint64_t missed;
    uint32_t next[MAX_CPUS]; /* the least number that each writer's next line may have */
};

/* The number in the first `digits` characters, or UINT64_MAX. */
static uint64_t number_at(const char *text, size_t digits)
{
    char copy[8] = "";
    uint64_t value;
    memcpy(copy, text, digits);
    /* leading zeros are fine, a foreign character is not */
    return text_parse_u64(copy, &value) == 0 ? value : UINT64_MAX;
}

static void check_line(struct reading *reading, const char *text, size_t length)
{
    size_t head = sizeof(line_text) - 1;
    uint64_t number = number_at(text + head, NUMBER_DIGITS);
    uint64_t cpu = number_at(text + head + NUMBER_DIGITS + 1, CORE_DIGITS);
    const char *rest = text + head + NUMBER_DIGITS + 1 + CORE_DIGITS;
    size_t rest_length = length - (size_t)(rest - text);
    const char *expected = number % 2 == 0 ? "" : filler;
    bool whole = number < LINES_PER_CORE && cpu < arch_cpu_count() &&
                 rest_length == strlen(expected) && strncmp(rest, expected, rest_length) == 0;
    if (!selftest_expect(whole, "a torn line: \"%.*s\"", (int)length, text))
        return;
    selftest_expect(number >= reading->next[cpu], "core %u: line %u came after line %u",
                    (unsigned)cpu, (unsigned)number, reading->next[cpu] - 1);
    reading->next[cpu] = (uint32_t)number + 1;
    reading->lines++;
}

/* Read all that is there. */
static void follow(struct log_cursor *cursor, struct reading *reading)
{
    static char line[LINE_BUFFER + LOG_FORMATTED_MAX];
    long bytes;
    while ((bytes = log_read(cursor, line, LOG_FORMATTED_MAX)) > 0) {
        line[bytes - 1] = '\0';
        const char *text = strchr(line, ']');
        size_t length = (size_t)(&line[bytes - 1] - (text + 2));
        text += 2;
        const char *after = strchr(text, ' ');
        if (text_starts_with(text, line_text)) {
            check_line(reading, text, length);
        } else if (after != NULL && text_starts_with(after, " lines missed")) {
            char count[24] = "";
            uint64_t value = 0;
            memcpy(count, text, (size_t)(after - text) % sizeof(count));
            (void)text_parse_u64(count, &value);
            reading->missed += value;
        } else {
            reading->others++;
        }
    }
}

static bool all_done(void)
{
    cpumask_for_each (cpu, &smp_online) {
        if (!core_job_done(cpu))
            return false;
    }
    return true;
}

static void test_log(void)
{
    static struct reading reading;
    if (smp_online_count() == 1) {
        selftest_skip("needs a second core");
        return;
    }
    int level = log_console_level();
    log_set_console_level(LOG_EMERG);
    memset(&reading, 0, sizeof(reading));
    struct log_cursor cursor = log_end();
    uint64_t asked = 0;
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != arch_cpu())
            (void)core_job_start(cpu, write_lines, NULL);
    }
    while (!all_done()) {
        follow(&cursor, &reading);
        cpumask_for_each (cpu, &smp_online)
            asked += cpu != arch_cpu() && arch_ask_where(cpu) == 0;
    }
    follow(&cursor, &reading);
    while (log_pending()) /* below the console's level: nobody wants to see them */
        log_drain();
    log_set_console_level(level);

    uint64_t written = (uint64_t)LINES_PER_CORE * (smp_online_count() - 1);
    uint64_t accounted = reading.lines + reading.others + reading.missed;
    /* two questions to one core may be answered by one NMI */
    selftest_expect(accounted >= written && accounted <= written + asked,
                    "%llu lines written and %llu asked of NMIs, %llu accounted for",
                    (unsigned long long)written, (unsigned long long)asked,
                    (unsigned long long)accounted);
    selftest_expect(reading.lines > 0, "no line was read");
    selftest_note("%llu lines read, %llu of NMIs, %llu missed", (unsigned long long)reading.lines,
                  (unsigned long long)reading.others, (unsigned long long)reading.missed);
}
SELFTEST("log-under-fire", test_log);
