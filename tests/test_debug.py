# SPDX-License-Identifier: MIT
"""The debug kernel (make DEBUG=1): it runs as the plain one does, and names each broken rule."""

import pytest

import qemu
from booting import boot, config_for
from runs import CARDS, DEMO, PANIC, Run, exited, received
from test_panics import END, STATUS_PANIC
from ktap import check, read_ktap

OFFSET = r"(?:\.[a-z0-9.]+)?\+0x[0-9a-f]+"
IN = r"src/[a-z_/]+\.c:\d+"

# Each self-test, and what the panic must say.
BROKEN = {
    "lock-order": rf'lock order: "outer" \(rank \d+\) taken at test_order\S* while holding "inner" '
                  r'\(rank \d+\), taken at test_order\S*',
    "lock-twice": r'lock "inner" taken twice: at test_twice\S* and at test_twice\S*',
    "unlock-unheld": r'lock "open" given back by a core that does not hold it',
    "lock-irqs-on": r'lock "inner" taken with interrupts on at test_irqs_on\S*: .*',
    "lock-irqs-off": r'lock "open" waited for with interrupts off at test_irqs_off\S*: .*',
    "unlock-irqs-on": r'interrupts came on while lock "inner" was held',
    "irq-under-lock": r'an interrupt came while lock "inner" was held, which wants them off',
    "lock-in-nmi": r'lock "in an NMI" taken in an NMI at lock_in_nmi\S*',
    "handler-keeps-lock": r'an interrupt handler \(keep_lock\S*\) came back with lock '
                          r'"inner" held, taken at keep_lock\S*',
    "handler-irqs-on": r"an interrupt handler \(turn_irqs_on\S*\) came back with interrupts on",
    "sleep-in-softirq": r"mutex_lock, which may sleep, called in a softirq \(make_it\S*\) at "
                        r"sleep_here\S*",
    "irq-thread-keeps-bh-off": r"irq_thread_fn\S* came back with local_bh_disable\(\) 1 deep",
    "work-keeps-bh-off": r"work_fn\S* came back with local_bh_disable\(\) 1 deep",
    "idle-with-lock": r'lock "open", taken at keep_open_lock\S*, is still held where the core halts',
    "context": rf"{IN}: core_job_start called in an interrupt handler, interrupts off",
}


def config(run):
    """The row's machine with the debug kernel."""
    machine = config_for(run)
    machine.kernel = qemu.DEBUG_KERNEL
    return machine


@pytest.mark.parametrize("name", [
    pytest.param(name, marks=[pytest.mark.quick] if name == "lock-order" else []) for name in BROKEN])
def test_broken_rule(name, machine):
    run = Run(f"debug-{name}", smp="2", cmdline=f"selftest=debug-{name}")
    vm = machine(config(run), run.limit, run.name)
    core = 1 if name in ("handler-keeps-lock", "handler-irqs-on", "idle-with-lock", "context") else 0
    if name == "irq-thread-keeps-bh-off":
        core = r"\d"  # its thread may be on either
    vm.wait_line(rf"panic: core {core}: {BROKEN[name]}")
    vm.wait_line(END, forbid=("within the panic",))
    assert vm.wait_exit() == STATUS_PANIC


@pytest.mark.skipif(qemu.KERNEL == qemu.DEBUG_KERNEL, reason="this run has no plain kernel")
def test_plain_kernel_skips(machine):
    boot(Run("debug-plain", cmdline="selftest=debug-lock-order", expect=[
        "ok 1 debug-lock-order # SKIP needs the debug kernel"]), machine)


def test_held_locks_in_a_panic(machine):
    """Each core's report says which locks it holds, and where it took them."""
    run = Run("debug-held", smp="2", cmdline="selftest=debug-panic-held")
    vm = machine(config(run), run.limit, run.name)
    for line in (r"panic: core 0: asked for with locks held",
                 rf'  holds "outer", taken at test_panic_held{OFFSET}',
                 rf'  holds "inner", taken at test_panic_held{OFFSET}',
                 r"core 1 was at 0x[0-9a-f]+, in the kernel",
                 rf'  holds "open", taken at hold_and_spin{OFFSET}', END):
        vm.wait_line(line)
    assert vm.wait_exit() == STATUS_PANIC


def test_wait_names_the_holder(machine):
    run = Run("debug-wait", smp="2", cmdline="selftest=debug-wait-for-held", forbid=(PANIC,))
    vm = machine(config(run), run.limit, run.name)
    vm.wait_line(r'core 0 has waited 1 s for the lock "open"', forbid=run.forbid)
    vm.wait_line(rf'core 1 holds "open", taken at hold_and_spin{OFFSET}', forbid=run.forbid)


def test_demonstration(machine):
    run = Run("debug-demo", args=DEMO)
    vm = machine(config(run), run.limit, run.name)
    vm.wait_line("debug: the kernel's own rules are checked while it runs", forbid=run.forbid)
    vm.wait_line(*sorted(received(range(4))), forbid=run.forbid)
    vm.wait_line(exited(0), forbid=run.forbid)
    assert vm.wait_exit() == 0


@pytest.mark.parametrize("smp", ["4"])
def test_selftests(smp, machine):
    """Every rule holds while the kernel's own tests run."""
    run = Run(f"debug-selftest-{smp}", smp=smp, extra=CARDS, cmdline="selftest", limit=480)
    vm = machine(config(run), run.limit, run.name)
    vm.wait_line("KTAP version 1", forbid=run.forbid)
    vm.wait_line(r"selftest: exited with status \d+", forbid=run.forbid)
    assert vm.wait_exit() == 0
    check(read_ktap(vm.lines), vm)
