// SPDX-License-Identifier: MIT
/*
 * The log under fire: all cores write, NMIs write in between, one reader follows. Every line that
 * comes is whole and in its writer's order, and every other one is counted as missed. The same
 * again with delays at the steps of models/log.pml.
 */
#include <stdatomic.h>

#include "lib/log.h"
#include "lib/selftest.h"
#include "lib/text.h"
#include "smp/call.h"
#include "smp/cores.h"
#include "smp/delay_selftest.h"
#include "smp/where.h"

enum {
    LINES_PER_CORE = 20000,
    LINES_MAX = 40000,
    LAP_LINES = 8000, /* by all cores together: about three laps */
    LAP_ROUNDS = 12,
    SHORT_LINES = 900, /* by all cores together: less than the ring holds, with what NMIs say */
    SHORT_ROUNDS = 4,
    SHORT_QUESTIONS = 8, /* asked of NMIs in such a round */
    NUMBER_DIGITS = 6,
    CORE_DIGITS = 3,
    LINE_BUFFER = 256,
};
#define NS_PER_US UINT64_C(1000)
#define LAST_WAIT_NS (5000000 * NS_PER_US)

static const char line_text[] = "selftest line ";
static const char last_text[] = "selftest: the last line";
static const char filler[] = " abcdefghijklmnopqrstuvwxyz0123456789"
                             " abcdefghijklmnopqrstuvwxyz0123456789"
                             " abcdefghijklmnopqrstuvwxyz0123456789"; /* more than one slot */

static void write_lines(void *arg)
{
    const unsigned *lines = arg;
    for (unsigned i = 0; i < *lines; i++)
        log_info("%s%06u %03u%s", line_text, i, arch_cpu(), i % 2 == 0 ? "" : filler);
}

struct reading {
    uint64_t lines;  /* of the writers, whole */
    uint64_t others; /* NMIs' lines, and whatever else the kernel says meanwhile */
    uint64_t missed;
    uint64_t claimed;        /* lines put in meanwhile, by the ring's own count */
    bool last;               /* the last line was read */
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
    bool whole = number < LINES_MAX && cpu < arch_cpu_count() && rest_length == strlen(expected) &&
                 strncmp(rest, expected, rest_length) == 0;
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
            reading->last = reading->last || strcmp(text, last_text) == 0;
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

/* A line that interrupts another one. */
static void answer_nmi(void)
{
    log_warn("core %u takes an NMI", arch_cpu());
}

static void do_nothing(void *arg)
{
    (void)arg;
}

/* All other cores write `lines` lines each; this one reads, and has them write a line in an NMI, at
 * most `questions` times. Returns: what was read. */
static const struct reading *write_and_read(unsigned lines, uint64_t questions)
{
    static struct reading reading;
    memset(&reading, 0, sizeof(reading));
    struct log_cursor begin = log_end(), cursor = begin, end;
    uint64_t asked = 0;
    where_set_nmi_hook(answer_nmi);
    cpumask_for_each (cpu, &smp_online) {
        if (cpu != arch_cpu())
            (void)core_job_start(cpu, write_lines, &lines);
    }
    while (!all_done()) {
        follow(&cursor, &reading);
        cpumask_for_each (cpu, &smp_online) {
            if (asked < questions)
                asked += cpu != arch_cpu() && arch_ipi_send_nmi(cpu) == 0;
        }
    }
    /* an NMI goes before the call's interrupt (Intel SDM vol 3A, "Prioritization of Concurrent
     * Events"): who answers has taken what was sent to it, and none comes when the hook is gone */
    (void)call_on_many(&smp_online, do_nothing, NULL);
    log_info("%s", last_text); /* accounts for all before it */
    uint64_t start = arch_clock_ns();
    do {
        follow(&cursor, &reading);
        end = log_end();
    } while (log_lines_between(cursor, end) != 0 && arch_clock_ns() - start < LAST_WAIT_NS);
    where_set_nmi_hook(NULL);
    selftest_expect(reading.last, "the log cannot be read to its end");
    reading.claimed = log_lines_between(begin, end);
    return &reading;
}

/* As many lines as the ring does not hold, and questions without limit. */
static const struct reading *go_round(unsigned lines)
{
    const struct reading *reading = write_and_read(lines, UINT64_MAX);
    uint64_t written = (uint64_t)lines * (smp_online_count() - 1) + 1; /* and the last line */
    uint64_t accounted = reading->lines + reading->others + reading->missed;
    selftest_expect(accounted == reading->claimed && accounted >= written,
                    "%llu lines written, %llu claimed a place, %llu accounted for",
                    (unsigned long long)written, (unsigned long long)reading->claimed,
                    (unsigned long long)accounted);
    selftest_expect(reading->lines > 0, "no line was read");
    return reading;
}

static void note_reading(const struct reading *reading)
{
    selftest_note("%llu lines read, %llu of NMIs, %llu missed", (unsigned long long)reading->lines,
                  (unsigned long long)reading->others, (unsigned long long)reading->missed);
}

/* Consoles are spared what was written; from now on they show lines up to `level` again. */
static void show_again(int level)
{
    while (log_pending())
        log_drain();
    log_set_console_level(level);
}

static void test_log(void)
{
    if (smp_online_count() == 1) {
        selftest_skip("needs a second core");
        return;
    }
    int level = log_console_level();
    log_set_console_level(LOG_EMERG);
    note_reading(go_round(LINES_PER_CORE));
    show_again(level);
}
SELFTEST("log-under-fire", test_log);

/* ---- models/log.pml -------------------------------------------------------------------------- */

/* What fits into the ring is read to the last line. */
static void stay_within_ring(void)
{
    unsigned writers = smp_online_count() - 1, lines = SHORT_LINES / writers;
    for (int round = 0; round < SHORT_ROUNDS; round++) {
        const struct reading *reading = write_and_read(lines, SHORT_QUESTIONS);
        selftest_expect(reading->missed == 0 && reading->lines == (uint64_t)lines * writers,
                        "%u lines written, %llu read, %llu missed", lines * writers,
                        (unsigned long long)reading->lines, (unsigned long long)reading->missed);
    }
}

static void test_delayed_log(void)
{
    static const struct delays everywhere = {.steps = DELAY_RANGE(DELAY_LOG_W1, DELAY_LOG_R4),
                                             .one_in = 4,
                                             .longest_ns = 200 * NS_PER_US};
    /* the reader is not held, so that it meets lines that are not through */
    static const struct delays of_writers = {.steps = DELAY_RANGE(DELAY_LOG_W1, DELAY_LOG_W4),
                                             .one_in = 4,
                                             .longest_ns = 2000 * NS_PER_US};
    /* few, but so long that others write the whole ring meanwhile; the reader falls behind too, so
     * that what a late writer spoils is still to be read */
    static const struct delays lapped_writers = {.steps = DELAY_RANGE(DELAY_LOG_W3, DELAY_LOG_W4) |
                                                          DELAY_RANGE(DELAY_LOG_R1, DELAY_LOG_R1),
                                                 .one_in = LAP_LINES,
                                                 .longest_ns = 400000 * NS_PER_US};
    static const struct delays lapped_reader = {.steps = DELAY_RANGE(DELAY_LOG_R3, DELAY_LOG_R3),
                                                .one_in = 500,
                                                .longest_ns = 400000 * NS_PER_US};
    int level = log_console_level();
    if (!delay_test_begin(&everywhere))
        return;
    log_set_console_level(LOG_EMERG);
    stay_within_ring();
    delay_test_end();

    (void)delay_test_begin(&of_writers);
    stay_within_ring();
    delay_test_end();

    (void)delay_test_begin(&lapped_writers);
    for (int round = 0; round < LAP_ROUNDS; round++)
        (void)go_round(LAP_LINES / (smp_online_count() - 1));
    delay_test_end();

    (void)delay_test_begin(&lapped_reader);
    note_reading(go_round(LINES_MAX));
    delay_test_end();
    show_again(level);
}
SELFTEST("delay-log", test_delayed_log);
