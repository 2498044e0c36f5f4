// SPDX-License-Identifier: MIT
/*
 * /proc/kmsg: whole lines, parts of lines, waiting and not waiting, being overtaken, and the place
 * that it shares with type 2 of syslog. `kmsg later` puts a line into the log after a while.
 */
#include <fcntl.h>
#include <spawn.h>
#include <stdbool.h>
#include <sys/wait.h>

#include "carillon_raw.h"
#include "expect.h"

enum {
    TEXT_MAX = 1 << 16,
    SYSLOG_READ = 2,
    SYSLOG_CONSOLE_OFF = 6,
    SYSLOG_CONSOLE_ON = 7,
    SYSLOG_UNREAD = 9,
    SYSLOG_SIZE = 10,
    LONG_LINE = 3500, /* bytes of text */
    WHILE_US = 100000,
};

static char text[TEXT_MAX];

/* A line of that text, as the log shows it. */
static bool is_line(const char *line, const char *of)
{
    const char *end = strstr(line, "] ");
    return strncmp(line, "<6>[", 4) == 0 && end != NULL && strcmp(end + 2, of) == 0;
}

static void put(const char *line)
{
    if (raw_klog(line, (int)strlen(line)) != 0)
        report_broken("klog");
}

static long get(int fd, size_t size)
{
    memset(text, 0, sizeof(text));
    return expect_errno(read(fd, text, size));
}

/* A line of which a part was read is whole, though the ring overtakes its reader meanwhile; then
 * comes the report of what was lost. */
static void being_overtaken(int fd, size_t part)
{
    static char line[LONG_LINE + 1];
    const size_t length = strlen("<6>[    0.123456] ") + LONG_LINE + 1;
    memset(line, 'a', LONG_LINE);
    put(line);
    EXPECT(get(fd, part), (long)part);
    EXPECT(raw_syslog(SYSLOG_UNREAD, NULL, 0), (long)(length - part));
    for (long put_bytes = 0; put_bytes < raw_syslog(SYSLOG_SIZE, NULL, 0); put_bytes += LONG_LINE)
        put(line);
    EXPECT(get(fd, length - part), (long)(length - part));
    size_t letters = length - part - 1; /* that are left of it */
    EXPECT(strspn(strchr(text, 'a'), "a"), letters < LONG_LINE ? letters : LONG_LINE);
    EXPECT(get(fd, length) > 0, true);
    EXPECT(strncmp(text, "<4>[", 4), 0);
    EXPECT(strstr(text, " lines missed\n") != NULL, true);
    while (get(fd, TEXT_MAX) > 0)
        continue;
}

static void start_later(char *program)
{
    char later[] = "later";
    char *const words[] = {program, later, NULL};
    int pid;
    if (posix_spawn(&pid, program, NULL, NULL, words, NULL) != 0)
        report_broken("posix_spawn");
}

int main(int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "later") == 0) {
        (void)usleep(WHILE_US);
        put("later");
        return 0;
    }
    int fd = MUST(open("/proc/kmsg", O_RDONLY | O_NONBLOCK));
    while (get(fd, TEXT_MAX) > 0)
        continue;
    EXPECT(get(fd, TEXT_MAX), -EAGAIN);
    EXPECT(get(fd, 0), 0);
    put("one");
    put("two");
    size_t length = strlen("<6>[    0.123456] one\n");
    EXPECT(raw_syslog(SYSLOG_UNREAD, NULL, 0), (long)(2 * length));
    EXPECT(get(fd, length + 5), (long)length); /* the second does not fit */
    EXPECT(is_line(text, "one\n"), true);
    EXPECT(get(fd, 5), 5); /* a part of the first line that there is */
    EXPECT(memcmp(text, "<6>[ ", 5), 0);
    EXPECT(get(fd, TEXT_MAX), (long)length - 5);
    EXPECT(strcmp(strstr(text, "] "), "] two\n"), 0);
    EXPECT(get(fd, TEXT_MAX), -EAGAIN);

    put("three");
    EXPECT(raw_syslog(SYSLOG_READ, text, TEXT_MAX) > 0, true);
    EXPECT(get(fd, TEXT_MAX), -EAGAIN); /* syslog has read it */
    EXPECT(expect_errno(lseek(fd, 0, SEEK_SET)), -ESPIPE);
    EXPECT(expect_errno(pread(fd, text, 1, 0)), -ESPIPE);
    EXPECT(expect_errno(read(fd, NOWHERE, 1)), -EAGAIN);
    put("four");
    EXPECT(expect_errno(read(fd, NOWHERE, 1)), -EFAULT);
    EXPECT(get(fd, TEXT_MAX) > 0 && is_line(text, "four\n"), true); /* it was not lost */

    MUST(raw_syslog(SYSLOG_CONSOLE_OFF, NULL, 0)); /* 1 MiB is too much for a serial line */
    being_overtaken(fd, 5);
    being_overtaken(fd, LONG_LINE);
    MUST(raw_syslog(SYSLOG_CONSOLE_ON, NULL, 0));

    int waits = MUST(open("/proc/kmsg", O_RDONLY));
    start_later(argv[0]);
    EXPECT(get(waits, TEXT_MAX) > 0 && is_line(text, "later\n"), true);
    (void)wait(NULL);
    return expect_end("kmsg");
}
