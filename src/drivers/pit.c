// SPDX-License-Identifier: MIT
/*
 * The Intel 8254's channel 0, whose output is ISA interrupt 0. Nothing in the kernel needs it (the
 * Local APICs have timers): it interrupts when a test asks for it. Channel 2 may serve the clock
 * (arch/x86_64/clock.c) and is not touched.
 *
 * Whoever reads or writes a channel's count does so in two halves; only its owner does.
 * Source: Intel 8254 data sheet, "Mode 1: Hardware Retriggerable One-Shot", "Mode 2:
 * Rate Generator"
 */
#include "drivers/pit.h"

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "irq/irq.h"
#include "irq/line_source.h"
#include "lib/errno.h"

/* clang-format off */
enum {
    PIT_CHANNEL0 = 0x40,
    PIT_COMMAND = 0x43,
        PIT_COMMAND_LATCH0 = 0x00,
        PIT_COMMAND_MODE1 = 0x32, /* channel 0, both halves of a count follow, mode 1 */
        PIT_COMMAND_MODE2 = 0x34, /* the same, mode 2 */
};
/* clang-format on */

enum {
    PIT_HZ = 1193182,
    PIT_DIVISOR_MIN = 2, /* of mode 2 */
    PIT_DIVISOR_MAX = 0x10000,
    PIT_ISA_IRQ = 0,
    PIT_MOVE_READS = 1000, /* in which a count must change */
    GSI_MAX = 31,          /* that line_source can name */
};
#define NS_PER_SECOND UINT64_C(1000000000)

static void write_count(uint32_t count)
{
    io_out8(PIT_CHANNEL0, (uint8_t)count);
    io_out8(PIT_CHANNEL0, (uint8_t)(count >> 8)); /* 0x10000 is written as 0 */
}

static uint32_t read_count(void)
{
    io_out8(PIT_COMMAND, PIT_COMMAND_LATCH0);
    uint32_t low = io_in8(PIT_CHANNEL0);
    return low | (uint32_t)io_in8(PIT_CHANNEL0) << 8;
}

static int start(struct line_source *self, uint32_t gsi, uint64_t period_ns, bool level)
{
    if (level || gsi > GSI_MAX || (self->edge_inputs >> gsi & 1) == 0 ||
        period_ns < self->period_min_ns || period_ns > self->period_max_ns)
        return -EINVAL;
    uint64_t divisor = period_ns * PIT_HZ / NS_PER_SECOND;
    io_out8(PIT_COMMAND, PIT_COMMAND_MODE2);
    write_count(divisor < PIT_DIVISOR_MIN ? PIT_DIVISOR_MIN : (uint32_t)divisor);
    return 0;
}

static bool take_back(struct line_source *self)
{
    (void)self;
    return true;
}

/*
 * Mode 1 counts at a rising gate alone, and channel 0's gate is tied high: the output rises at the
 * command and changes no more. QEMU counts at once, so the count is the shortest; then it is quiet.
 */
static void stop(struct line_source *self)
{
    (void)self;
    io_out8(PIT_COMMAND, PIT_COMMAND_MODE1);
    write_count(1);
}

/* A machine without one reads the same value for ever. */
static bool counts(void)
{
    io_out8(PIT_COMMAND, PIT_COMMAND_MODE2);
    write_count(PIT_DIVISOR_MAX);
    uint32_t first = read_count();
    bool moves = false;
    for (int i = 0; i < PIT_MOVE_READS && !moves; i++)
        moves = read_count() != first;
    stop(NULL);
    return moves;
}

static struct line_source pit = {
    .name = "PIT",
    .period_min_ns = NS_PER_SECOND * PIT_DIVISOR_MIN / PIT_HZ + 1,
    .period_max_ns = NS_PER_SECOND * PIT_DIVISOR_MAX / PIT_HZ,
    .start = start,
    .take_back = take_back,
    .stop = stop,
};

int pit_init(void)
{
    int irq = irq_of_isa(PIT_ISA_IRQ); /* its input's number, too */
    if (irq < 0 || irq > GSI_MAX || !counts())
        return -ENODEV;
    pit.edge_inputs = 1u << irq;
    line_source_register(&pit);
    return 0;
}
