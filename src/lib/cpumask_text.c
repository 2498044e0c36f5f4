// SPDX-License-Identifier: MIT
#include "lib/cpumask_text.h"

#include "lib/errno.h"
#include "lib/text.h"

enum { GROUP_CORES = 32, GROUP_DIGITS = 8, DIGIT_CORES = 4 };

/* ---- writing --------------------------------------------------------------------------------- */

static unsigned digit_of(const struct cpumask *mask, cpu_t cores, cpu_t digit)
{
    unsigned value = 0;
    for (cpu_t bit = 0; bit < DIGIT_CORES; bit++) {
        cpu_t cpu = digit * DIGIT_CORES + bit;
        if (cpu < cores && cpumask_test(mask, cpu))
            value |= 1u << bit;
    }
    return value;
}

void cpumask_format_hex(const struct cpumask *mask, cpu_t cores, char *buf)
{
    cpu_t digit = (cores + DIGIT_CORES - 1) / DIGIT_CORES;
    while (digit-- > 0) {
        *buf++ = "0123456789abcdef"[digit_of(mask, cores, digit)];
        if (digit > 0 && digit % GROUP_DIGITS == 0)
            *buf++ = ',';
    }
    *buf = '\0';
}

/* The first core from `from` on that is not a member; `cores` if all are. */
static cpu_t end_of_run(const struct cpumask *mask, cpu_t cores, cpu_t from)
{
    while (from < cores && cpumask_test(mask, from))
        from++;
    return from;
}

void cpumask_format_list(const struct cpumask *mask, cpu_t cores, char *buf)
{
    size_t at = 0;
    buf[0] = '\0';
    for (cpu_t first = cpumask_next(mask, 0); first < cores;) {
        cpu_t end = end_of_run(mask, cores, first);
        at += (size_t)snprintf(buf + at, CPUMASK_LIST_MAX - at, "%s%u", at == 0 ? "" : ",", first);
        if (end - first > 1)
            at += (size_t)snprintf(buf + at, CPUMASK_LIST_MAX - at, "-%u", end - 1);
        first = cpumask_next(mask, end);
    }
}

/* ---- reading --------------------------------------------------------------------------------- */

struct reader {
    const char *at, *end;
};

static bool is_space(char c)
{
    return c == ' ' || (c >= '\t' && c <= '\r') || c == '\0';
}

static struct reader reader_of(const char *text, size_t len)
{
    struct reader reader = {.at = text, .end = text + len};
    while (reader.at < reader.end && is_space(*reader.at))
        reader.at++;
    while (reader.at < reader.end && is_space(reader.end[-1]))
        reader.end--;
    return reader;
}

/* The value of a digit, or -1. */
static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c |= 'a' - 'A';
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int set_digit(struct cpumask *mask, cpu_t cores, cpu_t first, int value)
{
    for (cpu_t bit = 0; bit < DIGIT_CORES; bit++) {
        if ((value >> bit & 1) == 0)
            continue;
        if (first + bit >= cores)
            return -EOVERFLOW;
        cpumask_set(mask, first + bit);
    }
    return 0;
}

/* The group at the text's end. */
static int take_group(struct reader *reader, cpu_t cores, cpu_t first, struct cpumask *mask)
{
    cpu_t digits = 0;
    int value;
    while (reader->at < reader->end && (value = hex_digit(reader->end[-1])) >= 0) {
        if (digits == GROUP_DIGITS)
            return -EOVERFLOW;
        int error = set_digit(mask, cores, first + digits * DIGIT_CORES, value);
        if (error != 0)
            return error;
        reader->end--;
        digits++;
    }
    return digits > 0 ? 0 : -EINVAL;
}

int cpumask_parse_hex(const char *text, size_t len, cpu_t cores, struct cpumask *mask)
{
    struct reader reader = reader_of(text, len);
    *mask = (struct cpumask){0};
    for (cpu_t first = 0;; first += GROUP_CORES) {
        int error = take_group(&reader, cores, first, mask);
        if (error != 0 || reader.at == reader.end)
            return error;
        if (*--reader.end != ',')
            return -EINVAL;
    }
}

/* Returns: 0 and *core, which is `cores` for all that there are not; -EINVAL. */
static int take_core(struct reader *reader, cpu_t cores, cpu_t *core)
{
    const char *start = reader->at;
    cpu_t value = 0;
    for (; reader->at < reader->end && *reader->at >= '0' && *reader->at <= '9'; reader->at++) {
        if (value < cores)
            value = value * 10 + (cpu_t)(*reader->at - '0');
    }
    *core = value < cores ? value : cores;
    return reader->at > start ? 0 : -EINVAL;
}

static int take_range(struct reader *reader, cpu_t cores, struct cpumask *mask)
{
    cpu_t first, last;
    int error = take_core(reader, cores, &first);
    last = first;
    if (error == 0 && reader->at < reader->end && *reader->at == '-') {
        reader->at++;
        error = take_core(reader, cores, &last);
    }
    if (error != 0 || last < first)
        return -EINVAL;
    if (last == cores)
        return -ERANGE;
    for (cpu_t cpu = first; cpu <= last; cpu++)
        cpumask_set(mask, cpu);
    return 0;
}

int cpumask_parse_list(const char *text, size_t len, cpu_t cores, struct cpumask *mask)
{
    struct reader reader = reader_of(text, len);
    *mask = (struct cpumask){0};
    for (;;) {
        int error = take_range(&reader, cores, mask);
        if (error != 0 || reader.at == reader.end)
            return error;
        if (*reader.at++ != ',')
            return -EINVAL;
    }
}
