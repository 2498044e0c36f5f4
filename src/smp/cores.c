// SPDX-License-Identifier: MIT
/*
 * Bring-up: all INITs, one wait in which the cores get their memory and the log is shown, all
 * STARTUPs, then one wait for all, as long as any core takes a step. A second STARTUP goes only to
 * cores that have shown no sign of life. INIT comes before all else because some firmware leaves
 * its cores spinning: until then they take the boot core's time, where cores share one (an
 * emulator, a second thread).
 *
 * Each core advances through enum cpu_step by itself; when it is ready it is idle, and halts. The
 * boot core puts it online once it has seen that. Until then nobody sends it anything.
 *
 * What an online core does is the business of who started it (sched_idle). Its one job slot is work
 * for its idle thread, which self-tests use: who fills it (one compare-and-exchange) rings the
 * core's reschedule vector, which ends the halt.
 */
#include "smp/cores.h"

#include <stdatomic.h>

#include "irq/irq.h"
#include "lib/debug.h"
#include "lib/errno.h"
#include "lib/log.h"
#include "smp/ipi.h"

enum {
    PATIENCE_MS = 5000,    /* without a step of any core */
    STARTUP_AGAIN_MS = 20, /* after the first; then longer and longer */
    STARTUP_BACKOFF = 4,
    POLL_US = 50,
};
#define NS_PER_US UINT64_C(1000)
#define NS_PER_MS UINT64_C(1000000)

struct cpumask smp_online;
static _Atomic cpu_t online_count;   /* how many it holds */
static struct cpumask starting;      /* boot core only: those being waited for */
static void (*core_function)(void);  /* I: before any core is started */
static struct smp_bring_up bring_up; /* I: when all are online */

enum job_state { JOB_NONE, JOB_BEING_SET, JOB_WAITING, JOB_RUNNING };

/* A core's slot. Whoever moves it from NONE to BEING_SET may write the fields. */
struct core_job {
    _Atomic uint32_t state; /* enum job_state */
    void (*fn)(void *arg);
    void *arg;
};
static DEFINE_PERCPU(struct core_job, core_job);

static const char *const step_missed[] = {
    [CPU_STEP_IDLE] = "was not started",
    [CPU_STEP_SENT] = "did not reach the trampoline after INIT and STARTUP were sent",
    [CPU_STEP_TRAMPOLINE] = "reached the trampoline but not long mode",
    [CPU_STEP_LONG_MODE] = "reached long mode but did not come online",
};

void smp_init(void)
{
    smp_set_online(0);
}

void smp_set_online(cpu_t cpu)
{
    irq_cpu_online(cpu);
    cpumask_set(&smp_online, cpu);
    atomic_fetch_add_explicit(&online_count, 1, memory_order_release);
}

cpu_t smp_online_count(void)
{
    return atomic_load_explicit(&online_count, memory_order_acquire);
}

/* INIT to every core that is to be used. Returns: when the first one was sent. */
static uint64_t send_inits(const struct smp_params *params)
{
    cpu_t limit = arch_cpu_count();
    if (params->maxcpus != 0 && params->maxcpus < limit)
        limit = params->maxcpus;
    if (limit < arch_cpu_count())
        log_info("smp: %u of %u cores are to be used", limit, arch_cpu_count());
    uint64_t begin = arch_clock_ns();
    for (cpu_t cpu = 1; cpu < limit; cpu++) {
        int error = arch_cpu_send_init(cpu);
        if (error == 0)
            cpumask_set(&starting, cpu);
        else
            log_err("smp: core %u (APIC id %u) is left behind: %s", cpu, arch_cpu_hardware_id(cpu),
                    error == -EIO ? "INIT could not be sent, the ICR stays busy"
                                  : "its id cannot be addressed");
    }
    return begin;
}

/* Memory for each of them, while they wait. One that gets none waits for ever. */
static void prepare(const struct smp_params *params)
{
    cpumask_for_each (cpu, &starting) {
        int error = arch_cpu_prepare(cpu, cpumask_test(params->ap_dead, cpu));
        if (error == 0)
            error = irq_cpu_prepare(cpu);
        if (error == 0)
            continue;
        cpumask_clear(&starting, cpu);
        log_err("smp: core %u (APIC id %u) is left behind: no memory for it", cpu,
                arch_cpu_hardware_id(cpu));
    }
}

/* STARTUP to those that have shown no sign of life. */
static void send_startups(const char *what)
{
    cpumask_for_each (cpu, &starting) {
        if (arch_cpu_step(cpu) == CPU_STEP_SENT && arch_cpu_send_startup(cpu) != 0)
            log_err("smp: %s could not be sent to core %u: the ICR stays busy", what, cpu);
    }
}

/* Wait until `us` have passed since `begin_ns`. */
static void wait_since(uint64_t begin_ns, uint32_t us)
{
    uint64_t passed_us = (arch_clock_ns() - begin_ns) / NS_PER_US;
    if (passed_us < us)
        arch_udelay(us - (uint32_t)passed_us);
}

/* Sum of all steps reached; grows with each step of any core. */
static unsigned progress(void)
{
    unsigned sum = 0;
    cpumask_for_each (cpu, &starting)
        sum += arch_cpu_step(cpu);
    return sum;
}

static bool all_ready(void)
{
    cpumask_for_each (cpu, &starting) {
        if (arch_cpu_step(cpu) != CPU_STEP_READY)
            return false;
    }
    return true;
}

static void wait_for_all(void)
{
    uint64_t started = arch_clock_ns();
    uint64_t last_step = started;
    unsigned before = progress();
    uint64_t again_after = STARTUP_AGAIN_MS * NS_PER_MS;
    while (!all_ready() && arch_clock_ns() - last_step < PATIENCE_MS * NS_PER_MS) {
        arch_udelay(POLL_US);
        unsigned now = progress();
        if (now != before) {
            before = now;
            last_step = arch_clock_ns();
        }
        /* a STARTUP that meets a core in system management mode is lost */
        if (arch_clock_ns() - started > again_after) {
            again_after *= STARTUP_BACKOFF;
            send_startups("a further STARTUP");
        }
    }
}

static void leave_behind_the_rest(void)
{
    cpumask_for_each (cpu, &starting) {
        enum cpu_step step = arch_cpu_step(cpu);
        if (step == CPU_STEP_READY || !arch_cpu_give_up(cpu))
            continue;
        cpumask_clear(&starting, cpu);
        log_err("smp: core %u (APIC id %u) %s: left behind", cpu, arch_cpu_hardware_id(cpu),
                step_missed[step]);
    }
}

/*
 * Put the ready cores online. They halt in core_main() or are on their way there, and what is sent
 * to them waits in their Local APICs. It is done from here, one after the other: hundreds of cores
 * that each ask for ipi_control would keep each other waiting.
 */
static void put_online(void)
{
    cpumask_for_each (cpu, &starting) {
        ipi_core_online(cpu);
        log_info("smp: core %u online (APIC id %u)", cpu, arch_cpu_hardware_id(cpu));
    }
}

void smp_start_cores(const struct smp_params *params, void (*core_main)(void))
{
    core_function = core_main;
    uint64_t begin = arch_clock_ns(), first_init = begin;
    int error = arch_cpu_count() > 1 ? arch_cpu_start_init() : 0;
    if (error != 0) {
        log_err("smp: other cores cannot be started: no memory below 1 MiB for their first steps");
    } else if (arch_cpu_count() > 1) {
        first_init = send_inits(params);
        prepare(params);
        log_drain(); /* in free time; else the first core that is idle does, while others start */
        if (cpumask_count(&starting) != 0)
            wait_since(first_init, params->init_udelay_us);
        send_startups("STARTUP");
        wait_for_all();
        leave_behind_the_rest();
        put_online();
    }
    uint64_t end = arch_clock_ns();
    log_info("smp: %u of %u cores online after %llu ms", smp_online_count(), arch_cpu_count(),
             (unsigned long long)((end - begin) / NS_PER_MS));
    bring_up = (struct smp_bring_up){.ns = end - first_init,
                                     .init_wait_ns = params->init_udelay_us * NS_PER_US};
}

struct smp_bring_up smp_bring_up(void)
{
    return bring_up;
}

/* ---- jobs ------------------------------------------------------------------------------------ */

int core_job_start(cpu_t cpu, void (*fn)(void *arg), void *arg)
{
    ASSERT_THREAD();
    /* the boot core is not idle: it runs the first program */
    if (cpu >= arch_cpu_count() || !cpumask_test(&smp_online, cpu) || cpu == arch_cpu() || cpu == 0)
        return -ENXIO;
    struct core_job *job = percpu_of(cpu, core_job);
    uint32_t none = JOB_NONE;
    if (!atomic_compare_exchange_strong_explicit(&job->state, &none, JOB_BEING_SET,
                                                 memory_order_acquire, memory_order_relaxed))
        return -EBUSY;
    job->fn = fn;
    job->arg = arg;
    /* release: pairs with the acquire in core_job_run() */
    atomic_store_explicit(&job->state, JOB_WAITING, memory_order_release);
    if (arch_ipi_send(cpu, ARCH_VECTOR_RESCHEDULE) == 0)
        return 0;
    uint32_t waiting = JOB_WAITING; /* it may have seen the job all the same */
    bool taken_back = atomic_compare_exchange_strong_explicit(
        &job->state, &waiting, JOB_NONE, memory_order_relaxed, memory_order_relaxed);
    return taken_back ? -EIO : 0;
}

bool core_job_done(cpu_t cpu)
{
    /* acquire: what the job wrote is seen */
    return atomic_load_explicit(&percpu_of(cpu, core_job)->state, memory_order_acquire) == JOB_NONE;
}

bool core_job_run(void)
{
    struct core_job *job = this_cpu_ptr(core_job);
    uint32_t waiting = JOB_WAITING;
    if (!atomic_compare_exchange_strong_explicit(&job->state, &waiting, JOB_RUNNING,
                                                 memory_order_acquire, memory_order_relaxed))
        return false;
    job->fn(job->arg);
    atomic_store_explicit(&job->state, JOB_NONE, memory_order_release);
    return true;
}

void smp_core_main(void)
{
    arch_irq_enable();
    core_function(); /* set before any core was started */
    arch_halt_forever();
}
