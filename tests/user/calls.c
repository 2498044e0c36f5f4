// SPDX-License-Identifier: MIT
/*
 * Holds every call of the int 0x80 gate to its results and errors. Each case that gives something
 * else is printed as `case: NAME: expected E, got G`; the last line counts the cases, and the exit
 * status is 1 if one failed.
 *
 * The arguments tell the machine: cores=N indices, online=N of them answer, dead=C is a core that
 * does not (-1: none), gsis=N inputs of I/O APICs.
 */
#include "test.h"

#include <stdbool.h>

enum {
    VECTOR_FIRST = 32,
    VECTOR_LAST = 238,
    VECTOR_GATE = 128,
    VECTORS = VECTOR_LAST - VECTOR_FIRST, /* the gate's is not among them */
    MESSAGE_IRQ_MIN = 16,
    PAGE = 4096,
    KLOG_MAX = 4096,
    LOG_TEXT_BYTES = 1 << 20, /* all of the log fits */
    ALL = -1,
    OTHERS = -2,
};

#define GARBAGE (UINT64_C(0x5eed5eed) << 32)
#define INT(value) (GARBAGE | (uint32_t)(value)) /* as an int with a dirty upper half */
#define INT_LOWEST ((int)0x80000000)
#define INT_HIGHEST 0x7fffffff

enum number {
    EXIT = 1,
    WRITE = 4,
    GETPID = 20,
    SYSLOG = 103,
    SCHED_YIELD = 158,
    KLOG = 283,
    SEND_IPI = 317,
    REGISTER_IPI = 318,
    UNREGISTER_IPI = 319,
    PUTC = 323,
    RCV_FRAME = 327,
    SND_FRAME = 328,
    GETCORE = 329,
    NCORES = 330,
    NCORES_ONLINE = 331,
};

static long cores, online, dead, gsis;
static long cases, failed;

static void expect(const char *name, long wanted, long got)
{
    cases++;
    if (got == wanted)
        return;
    failed++;
    say("case: %s: expected %d, got %d", name, wanted, got);
}

static void expect_that(const char *name, bool ok, long got)
{
    cases++;
    if (ok)
        return;
    failed++;
    say("case: %s: got %d", name, got);
}

static long call(uint64_t number, uint64_t rbx, uint64_t rcx, uint64_t rdx)
{
    const uint64_t registers[7] = {number, rbx, rcx, rdx, ~UINT64_C(0), ~UINT64_C(0), ~UINT64_C(0)};
    return gate(registers);
}

/* ---- buffers --------------------------------------------------------------------------------- */

static char buffer[PAGE];
static char log_text[LOG_TEXT_BYTES];
extern char _end[]; /* ld: behind the last of the program's data */

/* The first address behind the program's data that is not mapped. */
static uint64_t data_end(void)
{
    return ((uint64_t)_end + PAGE - 1) & ~(uint64_t)(PAGE - 1);
}

struct bad_buffer {
    const char *name;
    uint64_t address;
};

static const struct bad_buffer bad_buffers[] = {
    {"null", 0},
    {"below programs", 0x1000},
    {"unmapped", 0x10000000},
    {"last page below 2^47", 0x7ffffffff000},
    {"first beyond 2^47", 0x800000000000},
    {"non-canonical", 0x8000000000000000},
    {"direct map", 0xffff800000100000},
    {"kernel text", 0xffffffff80200000},
    {"last page of all", 0xfffffffffffff000},
    {"last byte of all", 0xffffffffffffffff},
};
enum { BAD_BUFFERS = sizeof(bad_buffers) / sizeof(bad_buffers[0]) };

/* ---- numbers --------------------------------------------------------------------------------- */

static void test_numbers(void)
{
    static const uint64_t unknown[] = {
        0,
        2,
        7,
        282,
        284,
        316,
        332,
        1000,
        4096,
        INT_HIGHEST,
        0x80000000,
        0xffffffff,
        1ull << 32,
        ~UINT64_C(0),
        (1ull << 32) | GETPID,
        (1ull << 63) | GETPID,
        (1ull << 16) | NCORES,
        (1ull << 32) | SEND_IPI,
    };
    for (size_t i = 0; i < sizeof(unknown) / sizeof(unknown[0]); i++) {
        long got = call(unknown[i], 0, 100, 0);
        expect("unknown number", -ENOSYS, got);
        if (got != -ENOSYS)
            say("case: ... that was number %x", unknown[i]);
    }
}

static void test_small_ones(void)
{
    expect("getpid", 1, call(GETPID, 0, 0, 0));
    expect("sched_yield", 0, call(SCHED_YIELD, 0, 0, 0));
    expect("getcore", 0, call(GETCORE, 0, 0, 0));
    expect("ncores", cores, call(NCORES, 0, 0, 0));
    expect("ncores_online", online, call(NCORES_ONLINE, 0, 0, 0));
    expect("putc", 'p', call(PUTC, INT('p'), 0, 0));
    expect("putc of a low byte", 'q', call(PUTC, INT(0x7fffff00 + 'q'), 0, 0));
    expect("putc of -1", 255, call(PUTC, INT(-1), 0, 0));
    expect("putc of 0", 0, call(PUTC, INT(0), 0, 0));
    expect("putc of 256", 0, call(PUTC, INT(256), 0, 0));
    expect("putc of a newline", '\n', call(PUTC, INT('\n'), 0, 0));
}

/* ---- write ----------------------------------------------------------------------------------- */

static void test_write(void)
{
    const char *text = "written\n";
    for (int fd = 0; fd <= 2; fd++) {
        expect("write to the console", 8, call(WRITE, INT(fd), (uint64_t)text, 8));
        expect("write of nothing", 0, call(WRITE, INT(fd), (uint64_t)text, 0));
    }
    static const int no_fds[] = {3, -1, 1000, INT_HIGHEST, INT_LOWEST};
    for (size_t i = 0; i < sizeof(no_fds) / sizeof(no_fds[0]); i++) {
        expect("write to no file", -EBADF, call(WRITE, INT(no_fds[i]), (uint64_t)text, 8));
        for (int bad = 0; bad < BAD_BUFFERS; bad++)
            expect("EBADF before EFAULT", -EBADF,
                   call(WRITE, INT(no_fds[i]), bad_buffers[bad].address, 8));
    }
    for (int i = 0; i < BAD_BUFFERS; i++)
        expect(bad_buffers[i].name, -EFAULT, call(WRITE, 1, bad_buffers[i].address, 8));

    uint64_t end = data_end();
    static const uint64_t wrapping[] = {~UINT64_C(0), 1ull << 63, 0xffff800000000000, 1ull << 47};
    for (size_t i = 0; i < sizeof(wrapping) / sizeof(wrapping[0]); i++)
        expect("write beyond all memory", -EFAULT, call(WRITE, 1, end - 1, wrapping[i]));
    expect("write up to the last byte", 1, call(WRITE, 1, end - 1, 1));
    expect("write from the first byte beyond", -EFAULT, call(WRITE, 1, end, 1));
    long got = call(WRITE, 1, end - 2, PAGE);
    expect_that("write into an unmapped page", got == 2 || got == -EFAULT, got);
    (void)call(PUTC, '\n', 0, 0);
}

/* ---- klog ------------------------------------------------------------------------------------ */

static void test_klog(void)
{
    static const int bad_lengths[] = {-1, KLOG_MAX + 1, INT_HIGHEST, INT_LOWEST};
    for (size_t i = 0; i < sizeof(bad_lengths) / sizeof(bad_lengths[0]); i++) {
        expect("klog length", -EINVAL, call(KLOG, (uint64_t)buffer, INT(bad_lengths[i]), 0));
        for (int bad = 0; bad < BAD_BUFFERS; bad++)
            expect("klog: EINVAL before EFAULT", -EINVAL,
                   call(KLOG, bad_buffers[bad].address, INT(bad_lengths[i]), 0));
    }
    for (size_t i = 0; i < sizeof(buffer); i++)
        buffer[i] = 'k';
    expect("klog", 0, call(KLOG, (uint64_t) "klog speaks", INT(11), 0));
    expect("klog of nothing", 0, call(KLOG, (uint64_t)buffer, INT(0), 0));
    expect("klog of nothing from nowhere", 0, call(KLOG, 0, INT(0), 0));
    expect("klog of 4096 bytes", 0, call(KLOG, (uint64_t)buffer, INT(KLOG_MAX), 0));
    for (int i = 0; i < BAD_BUFFERS; i++)
        expect(bad_buffers[i].name, -EFAULT, call(KLOG, bad_buffers[i].address, INT(9), 0));
    expect("klog into an unmapped page", -EFAULT, call(KLOG, data_end() - 8, INT(16), 0));
}

/* ---- syslog ---------------------------------------------------------------------------------- */

enum syslog_type {
    CLOSE,
    OPEN,
    READ,
    READ_ALL,
    READ_CLEAR,
    CLEAR,
    CONSOLE_OFF,
    CONSOLE_ON,
    CONSOLE_LEVEL,
    SIZE_UNREAD,
    SIZE_BUFFER,
};

static long syslog(int type, const void *buf, int len)
{
    return call(SYSLOG, INT(type), (uint64_t)buf, INT(len));
}

static void test_syslog_forms(void)
{
    expect("syslog close", 0, syslog(CLOSE, NULL, 0));
    expect("syslog open", 0, syslog(OPEN, NULL, 0));
    static const int no_types[] = {-1, 11, INT_HIGHEST, INT_LOWEST};
    for (size_t i = 0; i < sizeof(no_types) / sizeof(no_types[0]); i++) {
        expect("syslog type", -EINVAL, syslog(no_types[i], log_text, 100));
        for (int bad = 0; bad < BAD_BUFFERS; bad++)
            expect("syslog type: EINVAL before EFAULT", -EINVAL,
                   syslog(no_types[i], (void *)bad_buffers[bad].address, 100));
    }
    for (int type = READ; type <= READ_CLEAR; type++) {
        expect("syslog without a buffer", -EINVAL, syslog(type, NULL, 100));
        expect("syslog, length below 0", -EINVAL, syslog(type, log_text, -1));
        for (int bad = 0; bad < BAD_BUFFERS; bad++)
            expect("syslog: EINVAL before EFAULT", -EINVAL,
                   syslog(type, (void *)bad_buffers[bad].address, -1));
        expect("syslog of nothing", 0, syslog(type, log_text, 0));
        for (int i = 1; i < BAD_BUFFERS; i++) /* all but null, which is -EINVAL */
            expect(bad_buffers[i].name, -EFAULT,
                   syslog(type, (void *)bad_buffers[i].address, LOG_TEXT_BYTES));
        expect("syslog into the program's code", -EFAULT,
               syslog(type, (void *)(uintptr_t)test_syslog_forms, LOG_TEXT_BYTES));
        expect("syslog into the program's constants", -EFAULT,
               syslog(type, "a constant", LOG_TEXT_BYTES));
    }
    long size = syslog(SIZE_BUFFER, NULL, 0);
    expect_that("syslog: size of the ring", size >= 256 << 10, size);
}

static void test_syslog_levels(void)
{
    static const int bad_levels[] = {0, 9, -1, INT_HIGHEST, INT_LOWEST};
    for (size_t i = 0; i < sizeof(bad_levels) / sizeof(bad_levels[0]); i++)
        expect("syslog, no such level", -EINVAL, syslog(CONSOLE_LEVEL, NULL, bad_levels[i]));
    for (int level = 1; level <= 8; level++)
        expect("syslog level", 0, syslog(CONSOLE_LEVEL, NULL, level));
    expect("syslog level 7", 0, syslog(CONSOLE_LEVEL, NULL, 7));
    expect("syslog console off", 0, syslog(CONSOLE_OFF, NULL, 0));
    (void)raw_klog("case: hidden by console off", 27);
    expect("syslog console on", 0, syslog(CONSOLE_ON, NULL, 0));
    (void)raw_klog("shown by console on", 19);
}

/* Where `needle` begins in the first `length` bytes of log_text, or -1. */
static long find(const char *needle, long length)
{
    for (long at = 0; at < length; at++) {
        long n = 0;
        while (needle[n] != '\0' && at + n < length && log_text[at + n] == needle[n])
            n++;
        if (needle[n] == '\0')
            return at;
    }
    return -1;
}

static void test_syslog_reading(void)
{
    long unread = syslog(SIZE_UNREAD, NULL, 0);
    expect_that("syslog: unread at first", unread > 0, unread);
    long all = syslog(READ_ALL, log_text, LOG_TEXT_BYTES);
    expect("syslog: read all", unread, all);
    expect_that("syslog: a line begins with its level", log_text[0] == '<' && log_text[2] == '>',
                0);
    expect_that("syslog: a stamp follows", log_text[3] == '[', 0);
    expect_that("syslog: the last line is whole", log_text[all - 1] == '\n', all);
    expect_that("syslog: what the console did not show is there", find("hidden by", all) > 0, 0);

    expect("syslog: reading all takes nothing", unread, syslog(SIZE_UNREAD, NULL, 0));
    long newest = syslog(READ_ALL, log_text, 300);
    expect_that("syslog: the newest that fit", newest > 0 && newest <= 300, newest);
    expect_that("syslog: they are whole lines", log_text[0] == '<' && log_text[newest - 1] == '\n',
                0);
    expect_that("syslog: they are the newest", find("shown by console on", newest) > 0, newest);

    long first = syslog(READ, log_text, 10);
    expect("syslog: read ten", 10, first);
    expect("syslog: ten fewer are unread", unread - 10, syslog(SIZE_UNREAD, NULL, 0));
    long rest = 0;
    while (syslog(SIZE_UNREAD, NULL, 0) > 0) {
        long got = syslog(READ, log_text, LOG_TEXT_BYTES);
        expect_that("syslog: read on", got > 0, got);
        if (got <= 0)
            break;
        rest += got;
    }
    expect("syslog: the rest", unread - 10, rest);

    expect_that("syslog: all is still there", syslog(READ_CLEAR, log_text, LOG_TEXT_BYTES) == all,
                0);
    expect("syslog: none after the clear", 0, syslog(READ_ALL, log_text, LOG_TEXT_BYTES));
    (void)raw_klog("after the clear", 15);
    long later = syslog(READ_ALL, log_text, LOG_TEXT_BYTES);
    expect_that("syslog: one after the clear", find("after the clear", later) > 0, later);
    expect("syslog: clear", 0, syslog(CLEAR, NULL, 0));
    expect("syslog: none again", 0, syslog(READ_ALL, log_text, LOG_TEXT_BYTES));
}

/* ---- rings ----------------------------------------------------------------------------------- */

static const int bad_vectors[] = {31, VECTOR_GATE, 239,        255,         256,    -1,
                                  0,  -128,        INT_LOWEST, INT_HIGHEST, 1 << 16};
enum { BAD_VECTORS = sizeof(bad_vectors) / sizeof(bad_vectors[0]) };

static void test_bad_vectors(void)
{
    for (int i = 0; i < BAD_VECTORS; i++) {
        uint64_t vector = INT(bad_vectors[i]);
        expect("register_ipi, no such vector", -EINVAL, call(REGISTER_IPI, vector, 0, 0));
        expect("unregister_ipi, no such vector", -EINVAL, call(UNREGISTER_IPI, vector, 0, 0));
        for (int core = OTHERS; core <= 0; core++)
            expect("send_ipi, no such vector", -EINVAL, call(SEND_IPI, INT(core), vector, 0));
        if (dead > 0)
            expect("send_ipi: EINVAL before ENXIO", -EINVAL, call(SEND_IPI, INT(dead), vector, 0));
    }
}

static void test_bad_cores(int vector, const char *name)
{
    const long bad[] = {-3, cores, cores + 1, 255, 256, 1 << 16, INT_LOWEST, INT_HIGHEST};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        expect(name, -EINVAL, call(SEND_IPI, INT(bad[i]), INT(vector), 0));
    if (dead > 0)
        expect("send_ipi to a core that is not online", -ENXIO,
               call(SEND_IPI, INT(dead), INT(vector), 0));
}

static void test_unregistered(int vector)
{
    expect("unregister_ipi of nobody's", -ENOENT, call(UNREGISTER_IPI, INT(vector), 0, 0));
    expect("send_ipi of nobody's to itself", -ENOENT, call(SEND_IPI, INT(0), INT(vector), 0));
    expect("send_ipi of nobody's to all", -ENOENT, call(SEND_IPI, INT(ALL), INT(vector), 0));
    expect("send_ipi of nobody's to others", online == 1 ? 0 : -ENOENT,
           call(SEND_IPI, INT(OTHERS), INT(vector), 0));
    if (online > 1)
        expect("send_ipi of nobody's to core 1", -ENOENT, call(SEND_IPI, INT(1), INT(vector), 0));
    test_bad_cores(vector, "send_ipi of nobody's, no such core");
}

static void test_registered(int vector)
{
    long first = gsis > MESSAGE_IRQ_MIN ? gsis : MESSAGE_IRQ_MIN;
    long irq = call(REGISTER_IPI, INT(vector), 0, 0);
    expect_that("register_ipi", irq >= first, irq);
    expect("register_ipi again", -EBUSY, call(REGISTER_IPI, INT(vector), 0, 0));
    expect("send_ipi to itself", 0, call(SEND_IPI, INT(0), INT(vector), 0));
    for (long core = 1; core < cores; core++) {
        if (online == cores)
            expect("send_ipi to another core", 0, call(SEND_IPI, INT(core), INT(vector), 0));
    }
    expect("send_ipi to all", online, call(SEND_IPI, INT(ALL), INT(vector), 0));
    expect("send_ipi to others", online - 1, call(SEND_IPI, INT(OTHERS), INT(vector), 0));
    test_bad_cores(vector, "send_ipi, no such core");
    expect("unregister_ipi", 0, call(UNREGISTER_IPI, INT(vector), 0, 0));
    expect("unregister_ipi again", -ENOENT, call(UNREGISTER_IPI, INT(vector), 0, 0));
}

static void test_border_vectors(void)
{
    static const int border[] = {VECTOR_FIRST, VECTOR_GATE - 1, VECTOR_GATE + 1, VECTOR_LAST};
    for (size_t i = 0; i < sizeof(border) / sizeof(border[0]); i++) {
        test_unregistered(border[i]);
        test_registered(border[i]);
        test_unregistered(border[i]);
    }
}

/* All 206 at once, each with an irq of its own; then all are free again. */
static void test_all_vectors(void)
{
    static long irqs[VECTORS];
    int count = 0;
    for (int vector = VECTOR_FIRST; vector <= VECTOR_LAST; vector++) {
        if (vector == VECTOR_GATE)
            continue;
        long irq = call(REGISTER_IPI, INT(vector), 0, 0);
        expect_that("register_ipi of all", irq >= MESSAGE_IRQ_MIN && irq >= gsis, irq);
        for (int i = 0; i < count; i++) {
            if (irqs[i] == irq)
                expect_that("register_ipi: an irq given twice", false, irq);
        }
        irqs[count++] = irq;
    }
    expect("vectors for users", VECTORS, count);
    for (int vector = VECTOR_FIRST; vector <= VECTOR_LAST; vector++) {
        if (vector == VECTOR_GATE)
            continue;
        expect("send_ipi of each", 0, call(SEND_IPI, INT(0), INT(vector), 0));
        expect("register_ipi of a taken one", -EBUSY, call(REGISTER_IPI, INT(vector), 0, 0));
    }
    for (int vector = VECTOR_FIRST; vector <= VECTOR_LAST; vector++) {
        if (vector != VECTOR_GATE)
            expect("unregister_ipi of each", 0, call(UNREGISTER_IPI, INT(vector), 0, 0));
    }
}

/* Registering again and again uses nothing up. */
static void test_many_registrations(void)
{
    long failures = 0;
    for (int i = 0; i < 2000; i++) {
        failures += call(REGISTER_IPI, INT(VECTOR_FIRST + i % 90), 0, 0) < 0;
        failures += call(UNREGISTER_IPI, INT(VECTOR_FIRST + i % 90), 0, 0) != 0;
    }
    expect("2000 registrations, one after the other", 0, failures);
}

/* Frames, on a machine without a network card: that comes after the form of the arguments. */
static void test_frames(void)
{
    enum { SHORTEST = 14, LONGEST = 1514 };
    static const int bad_lengths[] = {-1, 0, SHORTEST - 1, LONGEST + 1, INT_HIGHEST, INT_LOWEST};
    for (int bad = 0; bad < BAD_BUFFERS; bad++) {
        uint64_t address = bad_buffers[bad].address;
        expect("rcv_frame: EINVAL before EFAULT", -EINVAL, call(RCV_FRAME, address, 60, -2));
        expect("rcv_frame: EFAULT before ENODEV", -EFAULT, call(RCV_FRAME, address, 60, 0));
        expect("snd_frame: EFAULT before ENODEV", -EFAULT, call(SND_FRAME, address, INT(60), 0));
    }
    for (size_t i = 0; i < sizeof(bad_lengths) / sizeof(bad_lengths[0]); i++)
        expect("snd_frame length", -EINVAL, call(SND_FRAME, 0, INT(bad_lengths[i]), 0));
    expect("rcv_frame without a card", -ENODEV, call(RCV_FRAME, (uint64_t)buffer, 60, 0));
    expect("snd_frame, the shortest", -ENODEV, call(SND_FRAME, (uint64_t)buffer, INT(SHORTEST), 0));
    expect("snd_frame, the longest", -ENODEV, call(SND_FRAME, (uint64_t)buffer, INT(LONGEST), 0));
}

int main(int argc, char **argv)
{
    (void)argc;
    cores = option(argv, "cores");
    online = option(argv, "online");
    dead = option(argv, "dead");
    gsis = option(argv, "gsis");

    test_numbers();
    test_small_ones();
    test_write();
    test_klog();
    test_syslog_forms();
    test_syslog_levels();
    test_syslog_reading();
    test_bad_vectors();
    test_border_vectors();
    test_all_vectors();
    test_many_registrations();
    test_frames();
    say("calls: %d cases, %d failed", cases, failed);
    return failed == 0 ? 0 : 1;
}
