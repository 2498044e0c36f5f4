// SPDX-License-Identifier: MIT
/*
 * The real-time clock's registers lie behind two ports: one names the register, the other is it. So
 * each access is two, under a lock. The highest bit of the first port would hold NMIs back: it is
 * always written 0.
 *
 * The time's registers must not be read while the clock updates them, once a second. It says so 244
 * us before, which is long enough for a reading; but a core may be held up in between (by the
 * firmware, or by a hypervisor), so a reading counts only if a second one says the same.
 *
 * Periodic interrupts belong to one user at a time; the handler is there as long as they are
 * wanted. Source: Motorola MC146818A data sheet, "Update Cycle", "Interrupts"; ACPI specification,
 * "Fixed ACPI Description Table (FADT)", CENTURY
 */
#include "drivers/rtc.h"

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "arch/arch.h"
#include "arch/x86_64/io.h"
#include "drivers/rtc_decode.h"
#include "irq/irq.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "lib/rtc.h"
#include "lib/spinlock.h"
#include "lib/text.h"
#include "lib/wall_clock.h"

enum {
    CMOS_INDEX = 0x70,
    CMOS_DATA = 0x71,
    RTC_ISA_IRQ = 8,
    READ_TRIES = 200, /* 100 us apart: an update takes 2 ms */
    READ_WAIT_US = 100,
};
#define NS_PER_SECOND UINT64_C(1000000000)

typedef void tick_fn(uint8_t flags);

static struct spinlock rtc_lock = SPINLOCK(RANK_RTC, "rtc");
static tick_fn *_Atomic tick; /* set while the handler is there */
static uint32_t tick_irq;     /* of the user of the periodic interrupts */

/* Locks: caller holds rtc_lock, here and below. */
static uint8_t rtc_read(uint8_t index)
{
    io_out8(CMOS_INDEX, index);
    return io_in8(CMOS_DATA);
}

static void rtc_write(uint8_t index, uint8_t value)
{
    io_out8(CMOS_INDEX, index);
    io_out8(CMOS_DATA, value);
}

static uint8_t rtc_read_alone(uint8_t index)
{
    uint64_t flags = spin_lock_irqsave(&rtc_lock);
    uint8_t value = rtc_read(index);
    spin_unlock_irqrestore(&rtc_lock, flags);
    return value;
}

/* Change the bits `mask` of a register to `value`. */
static void rtc_change(uint8_t index, uint8_t mask, uint8_t value)
{
    uint64_t flags = spin_lock_irqsave(&rtc_lock);
    rtc_write(index, (uint8_t)((rtc_read(index) & ~mask) | value));
    spin_unlock_irqrestore(&rtc_lock, flags);
}

/* ---- the time -------------------------------------------------------------------------------- */

/* All of the time. Returns: false if an update is near. */
static bool read_registers(struct rtc_registers *raw)
{
    uint8_t century = arch_rtc_century_index();
    uint64_t flags = spin_lock_irqsave(&rtc_lock);
    bool quiet = (rtc_read(RTC_A) & RTC_A_UPDATING) == 0;
    if (quiet)
        *raw = (struct rtc_registers){
            .second = rtc_read(RTC_SECONDS),
            .minute = rtc_read(RTC_MINUTES),
            .hour = rtc_read(RTC_HOURS),
            .day = rtc_read(RTC_DAY),
            .month = rtc_read(RTC_MONTH),
            .year = rtc_read(RTC_YEAR),
            .century = century != 0 ? rtc_read(century) : 0,
            .b = rtc_read(RTC_B),
        };
    spin_unlock_irqrestore(&rtc_lock, flags);
    return quiet;
}

static int read_time(struct rtc_time *time)
{
    struct rtc_registers first, second;
    for (int i = 0; i < READ_TRIES; i++) {
        if (read_registers(&first) && read_registers(&second) &&
            memcmp(&first, &second, sizeof(first)) == 0)
            return rtc_decode(&first, time);
        arch_udelay(READ_WAIT_US);
    }
    return -EIO;
}

/* ---- periodic interrupts --------------------------------------------------------------------- */

/* Reading C lets go of the line, and without it there is no next interrupt. */
static enum irq_result rtc_interrupt(uint32_t irq, void *dev)
{
    (void)irq, (void)dev;
    uint8_t flags = rtc_read_alone(RTC_C);
    if ((flags & RTC_FLAG_IRQ) == 0)
        return IRQ_NONE;
    tick_fn *call = atomic_load_explicit(&tick, memory_order_relaxed); /* set before the request */
    if ((flags & RTC_FLAG_PERIODIC) != 0)
        call(flags);
    return IRQ_HANDLED;
}

static void stop_ticks(void)
{
    if (atomic_load_explicit(&tick, memory_order_relaxed) == NULL)
        return;
    rtc_change(RTC_B, RTC_B_PERIODIC, 0);
    (void)free_irq(tick_irq, &tick);
    atomic_store_explicit(&tick, NULL, memory_order_relaxed);
}

static int start_ticks(tick_fn *call)
{
    if (atomic_load_explicit(&tick, memory_order_relaxed) != NULL)
        return 0;
    int irq = irq_of_isa(RTC_ISA_IRQ);
    if (irq < 0)
        return -ENODEV;
    tick_irq = (uint32_t)irq;
    atomic_store_explicit(&tick, call, memory_order_relaxed);
    if (request_irq(tick_irq, rtc_interrupt, 0, "rtc", &tick) != 0) {
        atomic_store_explicit(&tick, NULL, memory_order_relaxed);
        return -ENODEV;
    }
    rtc_change(RTC_B, RTC_B_PERIODIC, RTC_B_PERIODIC);
    (void)rtc_read_alone(RTC_C); /* an old interrupt would hold the next one back */
    return 0;
}

static int set_rate(unsigned hz, tick_fn *call)
{
    uint8_t rate = rtc_encode_rate(hz);
    if (hz == 0) {
        stop_ticks();
        return 0;
    }
    if (rate == 0)
        return -EINVAL;
    rtc_change(RTC_A, RTC_A_RATE, rate);
    return start_ticks(call);
}

/* ---- set-up ---------------------------------------------------------------------------------- */

/* No register D has this bit set; a bus without a device has. */
static bool is_there(void)
{
    return arch_may_have(ARCH_LEGACY_RTC) && (rtc_read_alone(RTC_D) & RTC_D_ZERO) == 0 &&
           rtc_read_alone(RTC_B) != 0xff;
}

int rtc_init(void)
{
    static const struct rtc rtc = {.read = read_time, .set_rate = set_rate};
    struct rtc_time now;
    if (!is_there()) {
        log_warn("rtc: no real-time clock: the date is not known");
        return -ENODEV;
    }
    rtc_change(RTC_B, RTC_B_PERIODIC | RTC_B_ALARM | RTC_B_UPDATE, 0);
    rtc_register(&rtc);
    int error = read_time(&now);
    if (error != 0) {
        log_warn("rtc: the clock's date makes no sense: the date is not known");
        return error;
    }
    wall_clock_set(rtc_time_to_seconds(&now) * NS_PER_SECOND);
    log_info("rtc: %u-%02u-%02u %02u:%02u:%02u UTC%s", now.year, now.month, now.day, now.hour,
             now.minute, now.second,
             (rtc_read_alone(RTC_D) & RTC_D_VALID) != 0 ? "" : ", but its battery is empty");
    return 0;
}
