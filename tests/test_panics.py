# SPDX-License-Identifier: MIT
"""What breaks the kernel, or the machine under it, and what a person reads then."""

import re
import struct
from dataclasses import replace

import pytest

import patched
from booting import boot, config_for
from machine import Monitor, output_path, without_stamp
from runs import Run

STATUS_PANIC = 122
HEX = r"[0-9a-f]+"
RIP = rf"rip {HEX}  rsp {HEX}  rflags {HEX}"
CONTROL = rf"cr0 {HEX}  cr2 {HEX}  cr3 {HEX}  cr4 {HEX}"
OF_TRAP = [RIP, rf"rbp {HEX}  r8  {HEX}  r9  {HEX}", rf"cs {HEX}  ss {HEX}  {CONTROL}"]
OF_CALLER = [RIP, rf"rbp {HEX}", CONTROL]
END = "panic: end of report"

BOOT = ("selftest_run", "run_selftests", "thread_main")
STARTED = ("smp_core_main", "ap_entry")
JOB = ("spin_job", "core_job_run", "idle_work", "sched_idle", *STARTED)
RING3 = r"  0x[0-9a-f]{16} in ring 3"


def trace(*functions):
    """A backtrace through these; the compiler's copies of functions have a dot in their names."""
    return [rf"  0x[0-9a-f]{{16}} {name}(?:\.[a-z0-9.]+)?\+0x{HEX}" for name in functions]


# The end of a backtrace of a core that idles, or still runs a thread of the kernel's.
IDLE_OR_THREAD = ("(?:ap_entry|thread_main)",)


def others(cores, boot_core=BOOT):
    """Where the other cores were."""
    return [line for core in cores for line in (
        rf"core {core} was at 0x{HEX}, in the kernel",
        *trace(*(IDLE_OR_THREAD if core else boot_core)))]


def panic(name, reason, calls, *, stopped=(1, 2, 3), registers=OF_TRAP, **more):
    """The panic of a self-test: reason, registers, backtraces, in this order and to the end."""
    return Run(f"panic-{name}", **{
        "cmdline": f"selftest={name}", "status": STATUS_PANIC, "forbid": ("within the panic",),
        "expect": [reason, *registers, *trace(*calls), *others(stopped), END], **more})


ASKED = panic("panic", r"panic: core 0: asked for by selftest=panic", ("test_panic", *BOOT),
              registers=OF_CALLER, quick=True)

PANICS = [
    ASKED,
    panic("panic-elsewhere", r"panic: core 3: asked for on another core",
          ("panic_job", "core_job_run", "idle_work", "sched_idle", *STARTED), stopped=(0, 1, 2),
          registers=OF_CALLER),
    panic("panic-hardirq", r"panic: core 3: asked for in an interrupt handler",
          ("panic_call", "call_answer", "kernel_common", *JOB), stopped=(0, 1, 2), registers=OF_CALLER,
          quick=True),
    panic("panic-nmi", r"panic: core 3: asked for in an NMI",
          ("panic_in_nmi", "nmi_entry", *JOB), stopped=(0, 1, 2),
          registers=OF_CALLER),
    panic("null-pointer", rf"panic: core 0: #PF page fault at 0x{HEX}: write to 0x0, no page is "
          r"mapped there", ("test_null_pointer", *BOOT)),
    panic("null-call", r"panic: core 0: #PF page fault at 0x0: execution of 0x0, no page is mapped "
          r"there", ("test_null_call", *BOOT)),
    panic("write-text", rf"panic: core 0: #PF page fault at 0x{HEX}: write to 0x{HEX}, the page is "
          r"read-only", ("test_write_text", *BOOT)),
    panic("stack-overrun", rf"panic: core 0: kernel stack overrun at 0x{HEX}: #DF double fault.*",
          ("use_stack", "use_stack")),
    panic("interrupt-stack-overrun",
          rf"panic: core 0: interrupt stack overrun at 0x{HEX}: #DF double fault.*",
          ("use_interrupt_stack", "use_interrupt_stack")),
]


PCI_DEVICE = r"pci: [0-9a-f]{2}:[0-9a-f]{2}\.\d: "  # of level debug


@pytest.mark.parametrize("run", [
    pytest.param(run, id=run.name, marks=[pytest.mark.quick] if run.quick else [])
    for run in PANICS])
def test_panic(run, machine):
    vm = boot(run, machine)
    assert sum("panic: core" in line for line in vm.lines) == 1, "the reason stands there once"
    lines = [without_stamp(line) for line in vm.lines]
    hidden = lines[lines.index("last lines of the log:") + 1:lines.index(END)]
    assert all(re.match(PCI_DEVICE, line) for line in hidden), "else nothing was hidden"


def test_last_lines(machine):
    """What loglevel= kept from the console comes with the panic: ten lines, and no others."""
    run = replace(ASKED, name="panic-hidden", cmdline=f"loglevel=0 {ASKED.cmdline}", expect=[
        ASKED.expect[0], "last lines of the log:", r"smp: 4 of 4 cores online.*", END])
    lines = [without_stamp(line) for line in boot(run, machine).lines]
    assert not any("smp:" in line for line in lines[:lines.index("last lines of the log:")])
    assert lines.index(END) - lines.index("last lines of the log:") == 11


# ---- where no self-test gets ---------------------------------------------------------------------


def boot_patched(run, kernel, machine):
    """Boot this kernel in place of the shipped one, and hold it to the row."""
    config = config_for(run)
    config.kernel = kernel
    vm = machine(config, run.limit, run.name)
    vm.wait_line(run.expect[0])
    for wanted in run.expect[1:]:
        vm.wait_line(wanted, forbid=run.forbid)
    assert vm.wait_exit(forbid=run.forbid) == run.status


def test_panic_before_everything(machine):
    """panic() before the IDT, the memory, the clock and the other cores."""
    run = panic("first", r"panic: core 0: \w+", ("arch_init_cpu", "kmain", "arch_entry"),
                stopped=(), registers=OF_CALLER, cmdline="")
    boot_patched(run, patched.that_panics(run.name, "arch_init_cpu"), machine)


def test_fault_before_memory(machine):
    run = panic("early-fault", rf"panic: core 0: #UD .* in the kernel at 0x{HEX}",
                ("arch_init_memory", "kmain", "arch_entry"), stopped=(), cmdline="")
    boot_patched(run, patched.that_faults(run.name, "arch_init_memory"), machine)


def test_fault_in_system_call(machine):
    """The way from ring 3 is shown down to the program."""
    run = panic("system-call", rf"panic: core 0: #UD .* in the kernel at 0x{HEX}",
                ("sys_register_ipi", "int80_entry"), cmdline="")
    run.expect[-1 - len(others((1, 2, 3))):-1] = [RING3, *others((1, 2, 3))]
    boot_patched(run, patched.that_faults(run.name, "sys_register_ipi"), machine)


def test_breakpoint_at_the_gate(machine):
    """A #DB at the first instruction of the syscall gate, in ring 0 with the program's stack and GS
    base, is a panic like any other: the trap has a stack of its own and finds the kernel's GS."""
    at = patched.addresses()["syscall_entry"]
    code = b"\x48\xb8" + struct.pack("<Q", at)  # mov rax, syscall_entry
    code += bytes.fromhex("0f23c0 b802040000 0f23f8 31c0 c3")  # dr0 = rax, dr7 = global 0; return 0
    run = panic("gate-breakpoint", rf"panic: core 0: #DB debug exception \(trap 1, error code 0x0\) "
                rf"in the kernel at {at:#x}", ("syscall_entry",), cmdline="")
    boot_patched(run, patched.kernel(run.name, "sys_register_ipi", code), machine)


@pytest.mark.parametrize("rbp", [
    0, 8, 0x10_0000, 0xffff_8000_0000_0001, 0x8000_0000_0000_0000, 0xffff_8000_fee0_0300,
    0xffff_c000_0000_0000, 0xffff_ffff_ffff_fff8, 0xffff_ffff_ffff_ffff])
def test_backtrace_without_a_stack(rbp, machine):
    """A frame pointer that points nowhere ends the backtrace and breaks nothing."""
    run = panic(f"rbp-{rbp:x}", rf"panic: core 0: #UD .* in the kernel at 0x{HEX}",
                ("arch_init_clock",), stopped=(), cmdline="", smp="1")
    boot_patched(run, patched.that_loses_rbp(run.name, "arch_init_clock", rbp), machine)


def test_backtrace_in_a_circle(machine):
    """A frame that is its own caller's is met once."""
    circle = bytes.fromhex("48896d00")  # mov [rbp], rbp
    run = panic("circle", rf"panic: core 0: #UD .* in the kernel at 0x{HEX}",
                ("arch_init_clock", "kmain"), stopped=(), cmdline="", smp="1")
    run.forbid += ("and so on",)
    boot_patched(run, patched.that_faults(run.name, "arch_init_clock", circle), machine)


# ---- what follows a panic ------------------------------------------------------------------------


def test_panic_without_debugexit_halts(machine):
    boot(replace(ASKED, name="panic-halts", debugexit=False, status="stays"), machine)


@pytest.mark.parametrize("word, reason", [("reboot", "guest-reset"), ("off", "guest-shutdown")])
def test_panic_ends(word, reason, machine):
    """panic=reboot resets and panic=off powers off; QEMU's monitor tells them apart."""
    path = output_path(f"panic-{word}", "qmp")
    path.unlink(missing_ok=True)
    run = replace(ASKED, name=f"panic-{word}", cmdline=f"panic={word} {ASKED.cmdline}",
                  debugexit=False, status=None,
                  extra=("-S", "-qmp", f"unix:{path},server=on,wait=off"))
    vm = machine(config_for(run), run.limit, run.name)
    monitor = Monitor.of(path)
    monitor.execute("cont")
    vm.wait_line(END)
    assert vm.wait_exit() is None
    assert monitor.wait_event("SHUTDOWN")["reason"] == reason


def test_panic_off_without_s5(machine):
    boot(replace(ASKED, name="panic-no-s5", machine="pc,acpi=off", debugexit=False, status="stays",
                 cmdline=f"panic=off {ASKED.cmdline}", expect=[
                     END, r"power off: this machine offers no ACPI S5; all cores halt"]), machine)


def test_debugexit_comes_before_reboot(machine):
    boot(replace(ASKED, name="panic-debugexit", cmdline=f"panic=reboot {ASKED.cmdline}"), machine)


@pytest.mark.parametrize("core, calls", [(0, [RING3]), (1, trace(*STARTED))])
def test_machine_check(core, calls, machine):
    """An uncorrected error, injected by QEMU's monitor while ring 3 runs, is a panic in words."""
    path = output_path(f"machine-check-{core}", "qmp")
    path.unlink(missing_ok=True)
    run = Run(f"machine-check-{core}", init=("spin",), forbid=(),
              extra=("-qmp", f"unix:{path},server=on,wait=off"))
    vm = machine(config_for(run), run.limit, run.name)
    vm.wait_line("spinning")
    monitor = Monitor(path)
    # The line comes a moment before the program is back in ring 3, and interrupts take it out again:
    # so the machine stands still from the look on.
    for _ in range(1000):
        monitor.execute("stop")
        if "CPL=3" in monitor.execute("human-monitor-command",
                                      **{"command-line": "info registers"}):
            break
        monitor.execute("cont")
    # bank 9, valid and uncorrected; processor in machine check, restart not possible
    monitor.execute("human-monitor-command", **{
        "command-line": f"mce {core} 9 0xbd00000000000175 0x5 0x12345 0x8c"})
    monitor.execute("cont")
    where = "ring 3" if core == 0 else "the kernel"
    wanted = [rf"panic: core {core}: #MC machine check \(abort 18, error code 0x0\) in {where} "
              r"at .*", *OF_TRAP, *calls]
    if core != 0:
        wanted += [rf"core 0 was at 0x{HEX}, in ring 3", RING3]
    for line in [*wanted, END]:
        vm.wait_line(line)
    assert vm.wait_exit() == STATUS_PANIC


def test_reset(machine):
    """QEMU ends at a reset with status 0 under -no-reboot, and shut_down's lines do not come."""
    run = Run("reset", cmdline="selftest=reset", status=None, debugexit=False,
              forbid=("panic:", "exited with", "power off"), expect=["# resetting"])
    boot(run, machine)


# ---- firmware that errs --------------------------------------------------------------------------


def test_hpet_beyond_the_physical_width(machine, tmp_path):
    """A table with a wild address costs its device, not the boot."""
    table = tmp_path / "hpet"
    address = (0x000f_0000_0000_1000).to_bytes(8, "little")
    table.write_bytes(bytes(4) + bytes([0, 64, 0, 0]) + address + bytes(4))
    boot(Run("hpet-beyond", machine="q35,hpet=off", init=("small",),
             extra=("-acpitable", f"sig=HPET,rev=1,data={table}"),
             expect=[r"clock: TSC at \d+ kHz, by the ACPI PM timer.*",
                     "init: exited with status 0"]), machine)


def test_no_local_apic(machine):
    boot(Run("no-local-apic", smp="1", cpu="max,-apic", forbid=(), status=STATUS_PANIC,
             expect=[r"panic: core 0: this CPU has no Local APIC.*", *OF_CALLER,
                     *trace("arch_init_platform", "kmain", "arch_entry"), END]), machine)
