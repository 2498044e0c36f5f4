// SPDX-License-Identifier: MIT
/*
 * The demonstration: register a vector, ring every online core one by one, then all at once, show
 * what the log has to say about it, unregister, end. Without a libc, on the generated stubs alone.
 */
#include "carillon_raw.h"

enum { VECTOR = 100, STDOUT = 1, TYPE_READ = 2, TYPE_UNREAD = 9, LOG_BYTES = 65536 };
enum { ALL_CORES = -1, ENXIO = 6, WAIT_TURNS = 1000000 };

static size_t length(const char *text)
{
    size_t n = 0;
    while (text[n] != '\0')
        n++;
    return n;
}

/* Append `text` at `at`. Returns: where it ends. */
static char *append(char *at, const char *text)
{
    while (*text != '\0')
        *at++ = *text++;
    *at = '\0';
    return at;
}

static char *append_number(char *at, long value)
{
    char digits[24];
    size_t n = 0;
    unsigned long rest = value < 0 ? 0 - (unsigned long)value : (unsigned long)value;
    do {
        digits[n++] = (char)('0' + rest % 10);
        rest /= 10;
    } while (rest != 0);
    if (value < 0)
        *at++ = '-';
    while (n > 0)
        *at++ = digits[--n];
    *at = '\0';
    return at;
}

/* Write `what` and a number as one line. */
static void say(const char *what, long value)
{
    char line[128];
    char *end = append(append_number(append(line, what), value), "\n");
    (void)raw_write(STDOUT, line, (size_t)(end - line));
}

static void skip_old_lines(void)
{
    static char old[LOG_BYTES];
    while (raw_syslog(TYPE_UNREAD, NULL, 0) > 0)
        (void)raw_syslog(TYPE_READ, old, sizeof(old));
}

static void show_new_lines(void)
{
    static char lines[LOG_BYTES];
    const char *title = "demo: the kernel log since then:\n";
    (void)raw_write(STDOUT, title, length(title));
    while (raw_syslog(TYPE_UNREAD, NULL, 0) > 0) {
        long bytes = raw_syslog(TYPE_READ, lines, sizeof(lines));
        if (bytes <= 0)
            return;
        (void)raw_write(STDOUT, lines, (size_t)bytes);
    }
}

/* Wait until the log has grown beyond `before` unread bytes: the ring's message is there. */
static void wait_for_message(long before)
{
    for (long turn = 0; turn < WAIT_TURNS && raw_syslog(TYPE_UNREAD, NULL, 0) <= before; turn++)
        (void)raw_sched_yield();
}

/* Ring each core, wait for its message, so that no two rings fold. One that is not online is no
 * failure. Returns: the number of failures. */
static int ring_each(void)
{
    int failures = 0;
    long cores = raw_ncores();
    for (int core = 0; core < cores; core++) {
        long before = raw_syslog(TYPE_UNREAD, NULL, 0);
        long result = raw_send_ipi(core, VECTOR);
        if (result == 0) {
            wait_for_message(before);
        } else if (result == -ENXIO) {
            say("demo: not online: core ", core);
        } else {
            say("demo: send_ipi failed: ", result);
            failures++;
        }
    }
    return failures;
}

int main(int argc, char **argv)
{
    (void)argc;
    (void)argv;
    skip_old_lines();
    long irq = raw_register_ipi(VECTOR);
    if (irq < 0) {
        say("demo: register_ipi failed: ", irq);
        return 1;
    }
    say("demo: vector 100 is irq ", irq);
    int failures = ring_each();
    long rung = raw_send_ipi(ALL_CORES, VECTOR);
    if (rung != raw_ncores_online()) {
        say("demo: ringing all gave ", rung);
        failures++;
    }
    long error = raw_unregister_ipi(VECTOR); /* returns when all rings have been taken */
    if (error != 0) {
        say("demo: unregister_ipi failed: ", error);
        failures++;
    }
    show_new_lines();
    return failures == 0 ? 0 : 1;
}
