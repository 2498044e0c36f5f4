// SPDX-License-Identifier: MIT
/*
 * Time is the TSC, scaled. Its rate comes from the CPU's own word (CPUID leaf 15h with a crystal)
 * or from a reference: a counter of known rate, read beside the TSC at both ends of about 10 ms.
 *
 * Each reference proves itself first: a counter that does not move, or a rate outside what CPUs
 * have, sends us to the next one. CPUID leaf 16h is nominal and serves as a plausibility check.
 * Until a rate is known the fastest imaginable one is assumed, so that early time stamps are too
 * small and time never runs back when the rate is found.
 *
 * Source: Intel SDM vol 2A, "CPUID" (leaves 15h, 16h); IA-PC HPET specification; ACPI
 * specification, "Power Management Timer"; Intel 8254 data sheet.
 */
#include "arch/x86_64/clock.h"

#include "arch/x86_64/acpi.h"
#include "arch/x86_64/cpu.h"
#include "arch/x86_64/io.h"
#include "arch/x86_64/paging.h"
#include "lib/log.h"

#define NS_PER_SECOND UINT64_C(1000000000)
#define FS_PER_SECOND UINT64_C(1000000000000000)
#define TSC_HZ_MIN UINT64_C(1000000) /* emulators that count instructions are slow */
#define TSC_HZ_MAX UINT64_C(10000000000)
#define TSC_HZ_UNKNOWN TSC_HZ_MAX
#define REFERENCE_HZ_MAX UINT64_C(1000000000)
#define TSC_HZ_GUESS UINT64_C(1000000000)

enum {
    SCALE_SHIFT = 32,
    MEASURE_MS = 10,
    MEASURE_TRIES = 20,
    PAIR_TRIES = 8,
    MOVE_READS_MAX = 100000, /* reads in which a counter must move at least once */

    CPUID_LEAF_TSC = 0x15,
    CPUID_LEAF_FREQUENCY = 0x16,
    PLAUSIBLE_PERCENT = 20, /* between nominal and measured */

    HPET_BYTES = 0x400,
    HPET_CAPABILITIES = 0x000, /* period in fs in the upper half */
    HPET_CONFIG = 0x010,
    HPET_CONFIG_ENABLE = 1 << 0,
    HPET_CONFIG_LEGACY = 1 << 1, /* two of its timers interrupt in place of the PIT and the RTC */
    HPET_COUNTER = 0x0f0,
    HPET_PERIOD_FS_MAX = 100000000,

    PM_TIMER_HZ = 3579545,

    PIT_HZ = 1193182,
    PIT_CHANNEL2 = 0x42,
    PIT_COMMAND = 0x43,
    PIT_CHANNEL2_MODE0 = 0xb0, /* both bytes, interrupt on terminal count */
    PIT_LATCH_CHANNEL2 = 0x80,
    PORT_B = 0x61,
    PORT_B_GATE2 = 1 << 0,
    PORT_B_OUT2 = 1 << 5,
    PORT_B_SPEAKER = 1 << 1,
};

/* A counter beside which the TSC is measured. */
struct reference {
    const char *name;
    enum param_clock param;
    bool (*start)(void); /* false: not there */
    uint64_t (*read)(void);
    uint64_t (*hz)(void);
    bool (*wrapped)(void); /* since start(); NULL: it lasts longer than any measurement */
    uint64_t mask;         /* it wraps here */
};

static uint64_t boot_ticks; /* I */
static uint64_t tsc_hz = TSC_HZ_UNKNOWN;
static uint64_t ns_scale = (NS_PER_SECOND << SCALE_SHIFT) / TSC_HZ_UNKNOWN; /* ns a tick, 32.32 */

void clock_set_boot_ticks(uint64_t ticks)
{
    boot_ticks = ticks;
}

uint64_t arch_boot_ticks(void)
{
    return boot_ticks;
}

uint64_t arch_ticks_to_ns(uint64_t ticks)
{
    return (uint64_t)((unsigned __int128)ticks * ns_scale >> SCALE_SHIFT);
}

uint64_t clock_ns_to_ticks(uint64_t ns)
{
    return ns * tsc_hz / NS_PER_SECOND; /* TSC_HZ_MAX keeps a second's product within 64 bits */
}

uint64_t arch_clock_ns(void)
{
    return arch_ticks_to_ns(arch_ticks() - boot_ticks);
}

void arch_udelay(uint32_t us)
{
    uint64_t start = arch_clock_ns();
    while (arch_clock_ns() - start < (uint64_t)us * 1000)
        arch_relax();
}

/* ---- HPET ------------------------------------------------------------------------------------ */

static volatile uint64_t *hpet;

static bool hpet_start(void)
{
    if (!acpi.has_hpet || acpi.hpet.base.space != ACPI_SPACE_MEMORY)
        return false;
    if (hpet == NULL)
        hpet = map_physical(acpi.hpet.base.address, HPET_BYTES, PROT_W | PROT_DEVICE);
    if (hpet == NULL)
        return false;
    uint64_t period = hpet[HPET_CAPABILITIES / 8] >> 32;
    if (period == 0 || period > HPET_PERIOD_FS_MAX)
        return false;
    uint64_t config = hpet[HPET_CONFIG / 8] & ~(uint64_t)HPET_CONFIG_LEGACY;
    hpet[HPET_CONFIG / 8] = config | HPET_CONFIG_ENABLE;
    return true;
}

volatile void *arch_hpet_registers(void)
{
    return hpet_start() ? hpet : NULL;
}

/* Only the low half: some HPETs have no other, and no measurement lasts until it wraps. */
static uint64_t hpet_read(void)
{
    return ((volatile uint32_t *)hpet)[HPET_COUNTER / 4];
}

static uint64_t hpet_hz(void)
{
    return FS_PER_SECOND / (hpet[HPET_CAPABILITIES / 8] >> 32);
}

/* ---- ACPI PM timer --------------------------------------------------------------------------- */

static volatile uint32_t *pm_timer_memory;

static bool pm_timer_start(void)
{
    const struct acpi_register *reg = &acpi.fadt.pm_tmr;
    if (!acpi.has_fadt || reg->address == 0)
        return false;
    if (reg->space == ACPI_SPACE_MEMORY && pm_timer_memory == NULL)
        pm_timer_memory = map_physical(reg->address, sizeof(uint32_t), PROT_W | PROT_DEVICE);
    return reg->space == ACPI_SPACE_IO || pm_timer_memory != NULL;
}

static uint64_t pm_timer_read(void)
{
    return pm_timer_memory != NULL ? *pm_timer_memory : io_in32((uint16_t)acpi.fadt.pm_tmr.address);
}

static uint64_t pm_timer_hz(void)
{
    return PM_TIMER_HZ;
}

/* ---- PIT ------------------------------------------------------------------------------------- */

/* Channel 2 counts down from 65535 once, without a sound; it lasts 55 ms. */
static bool pit_start(void)
{
    uint8_t port_b = io_in8(PORT_B);
    io_out8(PORT_B, (uint8_t)((port_b & ~PORT_B_SPEAKER) | PORT_B_GATE2));
    io_out8(PIT_COMMAND, PIT_CHANNEL2_MODE0);
    io_out8(PIT_CHANNEL2, 0xff);
    io_out8(PIT_CHANNEL2, 0xff);
    return true;
}

static uint64_t pit_read(void)
{
    io_out8(PIT_COMMAND, PIT_LATCH_CHANNEL2);
    uint32_t low = io_in8(PIT_CHANNEL2);
    return 0xffff - (low | (uint32_t)io_in8(PIT_CHANNEL2) << 8);
}

static uint64_t pit_hz(void)
{
    return PIT_HZ;
}

/* In mode 0 the output rises when the count has ended (Intel 8254 data sheet, "Mode 0"). */
static bool pit_wrapped(void)
{
    return (io_in8(PORT_B) & PORT_B_OUT2) != 0;
}

/* ---- measuring ------------------------------------------------------------------------------- */

static const struct reference references[] = {
    {"HPET", PARAM_CLOCK_HPET, hpet_start, hpet_read, hpet_hz, NULL, UINT32_MAX},
    {"ACPI PM timer", PARAM_CLOCK_PMTIMER, pm_timer_start, pm_timer_read, pm_timer_hz, NULL,
     0xffffff},
    {"PIT", PARAM_CLOCK_PIT, pit_start, pit_read, pit_hz, pit_wrapped, 0xffff},
};
enum { REFERENCE_COUNT = sizeof(references) / sizeof(references[0]) };

static bool counter_moves(const struct reference *reference)
{
    uint64_t first = reference->read();
    for (int i = 0; i < MOVE_READS_MAX; i++) {
        if (reference->read() != first)
            return true;
    }
    return false;
}

/* TSC and counter at (nearly) the same moment: the tightest of a few tries. */
static void read_pair(const struct reference *reference, uint64_t *ticks, uint64_t *count)
{
    uint64_t tightest = UINT64_MAX;
    for (int i = 0; i < PAIR_TRIES; i++) {
        uint64_t before = arch_ticks();
        uint64_t value = reference->read();
        uint64_t span = arch_ticks() - before;
        if (span < tightest) {
            tightest = span;
            *ticks = before + span / 2;
            *count = value;
        }
    }
}

/* The TSC's rate beside `reference`, or 0 if that makes no sense. *again: the CPU was away for so
 * long (firmware, a busy host) that the counter's word is not worth anything. */
static uint64_t measure_once(const struct reference *reference, bool *again)
{
    *again = false;
    if (!reference->start() || reference->hz() > REFERENCE_HZ_MAX || !counter_moves(reference))
        return 0;
    uint64_t ticks0, count0, ticks1 = 0, count1 = 0;
    uint64_t goal = reference->hz() * MEASURE_MS / 1000;
    read_pair(reference, &ticks0, &count0);
    uint64_t give_up = ticks0 + TSC_HZ_MAX; /* a second of the fastest TSC */
    do {
        arch_relax();
        count1 = reference->read();
        if (arch_ticks() > give_up)
            return 0;
    } while (((count1 - count0) & reference->mask) < goal);
    read_pair(reference, &ticks1, &count1);

    *again = reference->wrapped != NULL && reference->wrapped();
    uint64_t counted = (count1 - count0) & reference->mask;
    if (counted == 0)
        return 0; /* it has come round since the loop saw the goal */
    /* within 64 bits: at most TSC_HZ_MAX ticks in the time allowed, times REFERENCE_HZ_MAX */
    uint64_t hz = (ticks1 - ticks0) * reference->hz() / counted;
    return hz >= TSC_HZ_MIN && hz <= TSC_HZ_MAX ? hz : 0;
}

static uint64_t measure(const struct reference *reference)
{
    bool again = true;
    uint64_t hz = 0;
    for (int i = 0; i < MEASURE_TRIES && again; i++)
        hz = measure_once(reference, &again);
    return again ? 0 : hz;
}

static bool set_rate(uint64_t hz, const char *source)
{
    if (hz == 0)
        return false;
    tsc_hz = hz;
    ns_scale = (NS_PER_SECOND << SCALE_SHIFT) / hz;
    log_info("clock: TSC at %llu kHz, by the %s%s", (unsigned long long)hz / 1000, source,
             cpu_features.invariant_tsc ? "" : "; the CPU does not promise that it is constant");
    return true;
}

/* Leaf 15h: TSC = crystal * ebx / eax, if all three are named. */
static uint64_t rate_from_cpuid(void)
{
    if (cpuid_max(0) < CPUID_LEAF_TSC)
        return 0;
    struct cpuid r = cpuid(CPUID_LEAF_TSC, 0);
    if (r.eax == 0 || r.ebx == 0 || r.ecx == 0)
        return 0;
    uint64_t hz = (uint64_t)r.ecx * r.ebx / r.eax;
    return hz >= TSC_HZ_MIN && hz <= TSC_HZ_MAX ? hz : 0;
}

/* The nominal rate does not decide; far from it the log says so. */
static void check_nominal(void)
{
    if (cpuid_max(0) < CPUID_LEAF_FREQUENCY)
        return;
    uint64_t nominal = (uint64_t)(cpuid(CPUID_LEAF_FREQUENCY, 0).eax & 0xffff) * 1000000;
    uint64_t distance = nominal > tsc_hz ? nominal - tsc_hz : tsc_hz - nominal;
    if (nominal != 0 && distance > nominal * PLAUSIBLE_PERCENT / 100)
        log_warn("clock: CPUID calls %llu MHz nominal: one of the two is wrong",
                 (unsigned long long)nominal / 1000000);
}

static bool try_wanted(enum param_clock wanted)
{
    if (wanted == PARAM_CLOCK_TSC)
        return set_rate(rate_from_cpuid(), "CPU's own word");
    for (int i = 0; i < REFERENCE_COUNT; i++) {
        if (references[i].param == wanted)
            return set_rate(measure(&references[i]), references[i].name);
    }
    return false;
}

static bool try_all(void)
{
    if (set_rate(rate_from_cpuid(), "CPU's own word"))
        return true;
    for (int i = 0; i < REFERENCE_COUNT; i++) {
        if (set_rate(measure(&references[i]), references[i].name))
            return true;
    }
    return false;
}

void clock_init(enum param_clock wanted)
{
    bool known = wanted != PARAM_CLOCK_AUTO && try_wanted(wanted);
    if (!known && wanted != PARAM_CLOCK_AUTO)
        log_warn("clock: what clock= asks for is not to be had; trying the others");
    if (!known && !try_all()) {
        (void)set_rate(TSC_HZ_GUESS, "guess");
        log_err("clock: nothing here tells the time; it is guessed, and all times are wrong");
    }
    check_nominal();
}
