// SPDX-License-Identifier: MIT
/*
 * Reads the console, and says what it got: `got N: ...`, with control bytes as <xx>. A line that is
 * one of the words below does something first. Two ends of file in a row end it, with status 7.
 * By Linux's calls: read, write, ioctl and openat.
 */
#include "test.h"

enum { NR_READ = 0, NR_WRITE = 1, NR_IOCTL = 16, NR_OPENAT = 257 };
enum { TCGETS = 0x5401, TCSETS = 0x5402, TCSETSF = 0x5404, TIOCGPGRP = 0x540f };
enum { TIOCGWINSZ = 0x5413, FIONREAD = 0x541b };
enum { O_RDWR = 2, O_NONBLOCK = 04000, AT_FDCWD = -100, ISIG = 1, ICANON = 2, ECHO = 8 };
enum { VTIME = 5, VMIN = 6, BUFFER = 8192, PASTE = 65536, FULL = 4000 };

struct modes {
    uint32_t iflag, oflag, cflag, lflag;
    uint8_t discipline, cc[19];
};

static long call(long number, long a, const void *b, long c, long d)
{
    long result;
    register long r10 __asm__("r10") = d;
    __asm__ volatile("syscall"
                     : "=a"(result)
                     : "a"(number), "D"(a), "S"(b), "d"(c), "r"(r10)
                     : "rcx", "r11", "memory");
    return result;
}

static long ioctl(int command, void *arg)
{
    return call(NR_IOCTL, 0, (void *)(uintptr_t)(unsigned)command, (long)arg, 0);
}

/* One write, so that no echo comes in between. */
static void show(long count, const char *bytes)
{
    static const char digits[] = "0123456789abcdef";
    static char text[4 * BUFFER + 64];
    char decimal[24];
    size_t at = 0, n = 0;
    long rest = count < 0 ? -count : count;
    for (const char *p = count < 0 ? "got -" : "got "; *p != '\0'; p++)
        text[at++] = *p;
    do
        decimal[n++] = digits[rest % 10];
    while ((rest /= 10) != 0);
    while (n > 0)
        text[at++] = decimal[--n];
    text[at++] = ':';
    text[at++] = ' ';
    for (long i = 0; i < count; i++) {
        uint8_t byte = (uint8_t)bytes[i];
        if (byte >= ' ' && byte < 127) {
            text[at++] = (char)byte;
            continue;
        }
        text[at++] = '<';
        text[at++] = digits[byte >> 4];
        text[at++] = digits[byte & 15];
        text[at++] = '>';
    }
    text[at++] = '\n';
    (void)call(NR_WRITE, 1, text, (long)at, 0);
}

static char buffer[BUFFER];

static long read_show(long fd, long size)
{
    long count = call(NR_READ, fd, buffer, size, 0);
    show(count, buffer);
    return count;
}

static struct modes old_modes;

static void go_raw(uint8_t min, uint8_t time)
{
    (void)ioctl(TCGETS, &old_modes);
    struct modes raw = old_modes;
    raw.iflag = 0;
    raw.lflag &= ~(uint32_t)(ISIG | ICANON | ECHO);
    raw.cc[VMIN] = min;
    raw.cc[VTIME] = time;
    say("raw: %d", ioctl(TCSETSF, &raw));
}

/* Read once byte by byte, as VMIN and VTIME say. What it got is said when the modes are the old ones
 * again: who sees it may type. */
static void read_raw(uint8_t min, uint8_t time)
{
    go_raw(min, time);
    long count = call(NR_READ, 0, buffer, 100, 0);
    (void)ioctl(TCSETS, &old_modes);
    show(count, buffer);
}

/* Read PASTE bytes, and say their sum: FNV-1a, so that it depends on each byte and its place. */
static void read_paste(void)
{
    uint64_t sum = 0xcbf29ce484222325;
    long done = 0;
    while (done < PASTE) {
        long count = call(NR_READ, 0, buffer, sizeof(buffer), 0);
        for (long i = 0; i < count; i++)
            sum = (sum ^ (uint8_t)buffer[i]) * 0x100000001b3;
        done += count;
    }
    say("pasted %d, sum %x %x", done, (long)(sum >> 32), (long)(sum & UINT32_MAX));
}

static void read_raw_paste(void)
{
    go_raw(1, 0);
    read_paste();
    (void)ioctl(TCSETS, &old_modes);
    say("cooked");
}

static void print(void)
{
    for (int i = 0; i < 100; i++)
        say("0123456789012345678901234567890123456789012345678901234567890123456789012345678");
}

static long waiting(void)
{
    int count = -1;
    return ioctl(FIONREAD, &count) == 0 ? count : -1;
}

/* Read nothing until nothing more fits. */
static void hold(void)
{
    say("holding");
    while (waiting() < FULL)
        continue;
    say("released");
}

static void do_word(const char *word)
{
    uint16_t size[4] = {9, 9, 9, 9};
    int group;
    if (same(word, "pieces\n")) {
        (void)read_show(0, 3);
        (void)read_show(0, 3);
    } else if (same(word, "bad address\n")) {
        say("bad: %d", call(NR_READ, 0, (void *)16, 100, 0)); /* NOLINT */
    } else if (same(word, "nonblock\n")) {
        long fd = call(NR_OPENAT, AT_FDCWD, "/dev/tty", O_RDWR | O_NONBLOCK, 0);
        (void)read_show(fd, 100);
    } else if (same(word, "three\n")) {
        read_raw(3, 0);
    } else if (same(word, "soon\n")) {
        read_raw(0, 2);
    } else if (same(word, "between\n")) {
        read_raw(100, 2);
    } else if (same(word, "compute\n")) {
        while (waiting() < 16)
            continue;
        say("computed, %d bytes wait", waiting());
    } else if (same(word, "paste\n")) {
        read_paste();
    } else if (same(word, "raw paste\n")) {
        read_raw_paste();
    } else if (same(word, "print\n")) {
        print();
    } else if (same(word, "hold\n")) {
        hold();
    } else if (same(word, "ioctl\n")) {
        long window = ioctl(TIOCGWINSZ, size);
        say("ioctl: %d, %d %d, %d", window, (long)size[0], (long)size[1], ioctl(TIOCGPGRP, &group));
    }
}

int main(void)
{
    int ends = 0;
    say("tty is ready");
    while (ends < 2) {
        long count = read_show(0, BUFFER - 1);
        ends = count == 0 ? ends + 1 : 0;
        buffer[count > 0 ? count : 0] = '\0';
        do_word(buffer);
    }
    return 7;
}
