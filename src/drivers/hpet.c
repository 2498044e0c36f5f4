// SPDX-License-Identifier: MIT
/*
 * The HPET's comparators as sources of interrupts. Each compares the main counter with a value of
 * its own and interrupts at the input that it is set to: by an edge, or by a level that holds until
 * its bit in the interrupt status is written.
 *
 * The main counter is the clock's and runs on. A comparator is set to 32 bits, which every HPET
 * has: it then compares the counter's low half.
 * Source: IA-PC HPET specification, "Timer N Configuration and Capabilities Register", "Timer N
 * Comparator Register"
 */
#include "drivers/hpet.h"

#include "arch/arch.h"
#include "irq/line_source.h"
#include "lib/errno.h"

/* clang-format off */
/* Registers by offset; all are read and written as 32-bit halves. */
enum {
    HPET_CAPABILITIES = 0x000,
        HPET_CAPABILITIES_LAST_SHIFT = 8, /* the number of the last comparator, 5 bits */
        HPET_CAPABILITIES_LAST_MASK = 0x1f,
    HPET_PERIOD_FS = 0x004, /* of the main counter */
    HPET_STATUS = 0x020,    /* a bit for each comparator; writing 1 clears it */
    HPET_COUNTER = 0x0f0,
    HPET_TIMER_CONFIG = 0x100,
        HPET_TIMER_LEVEL = 1 << 1,
        HPET_TIMER_ENABLE = 1 << 2,
        HPET_TIMER_PERIODIC = 1 << 3,
        HPET_TIMER_CAN_PERIODIC = 1 << 4,
        HPET_TIMER_SET_VALUE = 1 << 6, /* the next write is the value, the one after it the period */
        HPET_TIMER_32BIT = 1 << 8,
        HPET_TIMER_INPUT_SHIFT = 9,
        HPET_TIMER_BY_MESSAGE = 1 << 14,
    HPET_TIMER_INPUTS = 0x104, /* a bit for each input that it can be set to */
    HPET_TIMER_COMPARATOR = 0x108,
    HPET_TIMER_STRIDE = 0x20,
};
/* clang-format on */

enum {
    HPET_SOURCES_MAX = 3, /* every HPET has three comparators; more are of no use here */
    GSI_MAX = 31,
    SET_TRIES = 20,
};
#define FS_PER_NS UINT64_C(1000000)
#define PERIOD_MIN_NS UINT64_C(10000)      /* shorter ones are over before they are set */
#define PERIOD_MAX_NS UINT64_C(1000000000) /* in 32 bits with the fastest counter allowed */

struct hpet_source {
    struct line_source source;
    unsigned number;
    bool level; /* as it runs now */
};

static volatile uint32_t *registers; /* I */
static struct hpet_source sources[HPET_SOURCES_MAX] = {
    {.source = {.name = "HPET 0"}, .number = 0},
    {.source = {.name = "HPET 1"}, .number = 1},
    {.source = {.name = "HPET 2"}, .number = 2},
};

static uint32_t hpet_read(unsigned offset)
{
    return registers[offset / sizeof(uint32_t)];
}

static void hpet_write(unsigned offset, uint32_t value)
{
    registers[offset / sizeof(uint32_t)] = value;
}

static uint32_t timer_read(const struct hpet_source *timer, unsigned offset)
{
    return hpet_read(offset + timer->number * HPET_TIMER_STRIDE);
}

static void timer_write(const struct hpet_source *timer, unsigned offset, uint32_t value)
{
    hpet_write(offset + timer->number * HPET_TIMER_STRIDE, value);
}

/* Disabled, of 32 bits, not periodic; bits that are not ours stay. The input changes last: a level
 * that is still asserted is to end where it is. */
static uint32_t timer_silence(const struct hpet_source *timer)
{
    uint32_t config = timer_read(timer, HPET_TIMER_CONFIG) & ~(uint32_t)HPET_TIMER_ENABLE;
    timer_write(timer, HPET_TIMER_CONFIG, config);
    hpet_write(HPET_STATUS, 1u << timer->number);
    config &= ~(uint32_t)(HPET_TIMER_LEVEL | HPET_TIMER_PERIODIC | HPET_TIMER_BY_MESSAGE |
                          GSI_MAX << HPET_TIMER_INPUT_SHIFT);
    config |= HPET_TIMER_32BIT;
    timer_write(timer, HPET_TIMER_CONFIG, config);
    return config;
}

/*
 * A period takes two writes, when it begins and how long it is. If the first time is over before
 * the second write (this core was held up), the comparator is a wrong period further, or waits for
 * the counter to come round: seconds. So look, and do it again.
 */
static bool set_period(const struct hpet_source *timer, uint32_t config, uint32_t period)
{
    for (int i = 0; i < SET_TRIES; i++) {
        timer_write(timer, HPET_TIMER_CONFIG, config | HPET_TIMER_SET_VALUE);
        timer_write(timer, HPET_TIMER_COMPARATOR, hpet_read(HPET_COUNTER) + period);
        timer_write(timer, HPET_TIMER_COMPARATOR, period);
        uint32_t next = timer_read(timer, HPET_TIMER_COMPARATOR);
        if (next - hpet_read(HPET_COUNTER) - 1 < period)
            return true;
    }
    return false;
}

static int start(struct line_source *self, uint32_t gsi, uint64_t period_ns, bool level)
{
    struct hpet_source *timer = (struct hpet_source *)self;
    if (gsi > GSI_MAX || (self->edge_inputs >> gsi & 1) == 0 || period_ns < self->period_min_ns ||
        period_ns > self->period_max_ns)
        return -EINVAL;
    uint32_t period = (uint32_t)(period_ns * FS_PER_NS / hpet_read(HPET_PERIOD_FS));
    uint32_t config = timer_silence(timer) | gsi << HPET_TIMER_INPUT_SHIFT;
    timer->level = level;
    config |= (level ? HPET_TIMER_LEVEL : 0) | HPET_TIMER_PERIODIC;
    /* before it is enabled, or it would interrupt by what was set before */
    if (!set_period(timer, config, period))
        return -EIO;
    timer_write(timer, HPET_TIMER_CONFIG, config | HPET_TIMER_ENABLE);
    return 0;
}

static bool take_back(struct line_source *self)
{
    struct hpet_source *timer = (struct hpet_source *)self;
    uint32_t bit = 1u << timer->number;
    if (!timer->level)
        return true;
    if ((hpet_read(HPET_STATUS) & bit) == 0)
        return false;
    hpet_write(HPET_STATUS, bit);
    return true;
}

static void stop(struct line_source *self)
{
    (void)timer_silence((struct hpet_source *)self);
}

/* Inputs that an I/O APIC of this machine has. */
static uint32_t inputs_there(void)
{
    uint32_t count = arch_gsi_count();
    return count > GSI_MAX ? UINT32_MAX : (1u << count) - 1;
}

static bool add(struct hpet_source *timer)
{
    (void)timer_silence(timer); /* whatever the firmware had it do */
    if ((timer_read(timer, HPET_TIMER_CONFIG) & HPET_TIMER_CAN_PERIODIC) == 0)
        return false;
    struct line_source *source = &timer->source;
    source->edge_inputs = timer_read(timer, HPET_TIMER_INPUTS) & inputs_there();
    source->level_inputs = source->edge_inputs;
    source->period_min_ns = PERIOD_MIN_NS;
    source->period_max_ns = PERIOD_MAX_NS;
    source->start = start;
    source->take_back = take_back;
    source->stop = stop;
    line_source_register(source);
    return true;
}

int hpet_init(void)
{
    registers = arch_hpet_registers();
    if (registers == NULL)
        return -ENODEV;
    unsigned last =
        hpet_read(HPET_CAPABILITIES) >> HPET_CAPABILITIES_LAST_SHIFT & HPET_CAPABILITIES_LAST_MASK;
    int count = 0;
    for (unsigned i = 0; i <= last && i < HPET_SOURCES_MAX; i++)
        count += add(&sources[i]);
    return count;
}
