# SPDX-License-Identifier: MIT
"""What comes to the kernel, or to a person in front of it, when a core is asked where it is: NMIs
from outside, and the watchdog's reports of cores that do not answer."""

import re

import pytest

import witness
from booting import boot, config_for
from machine import Monitor, output_path, without_stamp
from runs import Run
from screens import press
from test_panics import BOOT, HEX, STARTED, trace
from test_user_programs import PROMPT

NMI = "02"
MANY = 20  # NMIs in a row: two at once are one to a core that has not taken the first
SUMMARY = r"nmi: \d+ more from outside, counted only: there is one report a second"


CALL = rf"  0x[0-9a-f]{{16}}(?: \S+\+0x{HEX}| in ring 3)"


def at(core, where="(?:the kernel|ring 3)", irqs="(?:on|off)"):
    return rf"core {core} is at 0x{HEX}, in {where}, interrupts {irqs}"


def report(vm):
    """The lines of the report of an NMI from outside, without stamps."""
    vm.wait_line("nmi: from outside; where each core is:", forbid=("panic:",))
    first = len(vm.lines)
    vm.wait_line("nmi: end of report", forbid=("panic:",))
    return [without_stamp(line) for line in vm.lines[first:-1]]


def backtraces(lines, cores):
    """[[call, ...] of each core]: the report names them in order, each with what it was doing."""
    calls = []
    for line in lines:
        if line.startswith("  "):
            assert re.fullmatch(CALL, line)
            calls[-1].append(line)
        else:
            assert re.fullmatch(at(len(calls)), line)
            calls.append([])
    assert len(calls) == cores and all(calls)
    return calls


def test_nmi_from_outside(machine):
    """Every core's backtrace, once a second; the shell goes on. QEMU saw every core take one."""
    name = "nmi"
    qmp = output_path(name, "qmp")
    qmp.unlink(missing_ok=True)
    log = output_path(name, "int.%d")
    for old in witness.logs_of(name):
        old.unlink()
    run = Run(name, cmdline="loglevel=4", extra=(
        "-qmp", f"unix:{qmp},server=on,wait=off", "-d", "int,tid", "-D", str(log)))
    vm = machine(config_for(run), run.limit, run.name)
    vm.wait_text(PROMPT)
    monitor = Monitor(qmp)
    monitor.execute("inject-nmi")
    idle = [calls for calls in backtraces(report(vm), cores=4)
            if all(re.fullmatch(wanted, call)
                   for wanted, call in zip(trace("sched_idle", "core_main", *STARTED), calls))]
    assert idle, "the shell is on one core, the others halt"
    for _ in range(MANY):
        monitor.execute("inject-nmi")
    vm.wait_line(SUMMARY, forbid=("panic:",))
    vm.send("echo it goes on\r")
    vm.wait_line("it goes on", forbid=("panic:",))
    vm.send("poweroff\r")
    assert vm.wait_exit(forbid=("panic:",)) == 0
    struck = [witness.TAKEN.findall(path.read_text(errors="replace"))
              for path in witness.logs_of(name)]
    assert sum(NMI in vectors for vectors in struck) == 4


# ---- the watchdog --------------------------------------------------------------------------------


@pytest.mark.parametrize("core, name, calls", [
    (3, "lockup", ("be_deaf", "core_job_run", "idle_work", "sched_idle", "core_main", *STARTED)),
    (0, "lockup-boot-core", ("be_deaf", "test_lockup_boot_core", *BOOT)),
    pytest.param(0, "lockup-idle-boot-core", (
        "be_deaf", "call_answer", "kernel_common", "sched_idle", "kmain", "arch_entry"),
        marks=pytest.mark.soak),
])
def test_lockup(core, name, calls, machine):
    """A core that spins with interrupts off is named, with the way to where it spins, once; and
    named again when it answers."""
    run = Run(name, cmdline=f"loglevel=5 watchdog=1 selftest={name}", limit=90, expect=[
        rf"watchdog: core {core} has not answered for \d+ s", at(core, "the kernel", "off"),
        *trace(*calls), rf"watchdog: core {core} answers again, after \d+ s", f"ok 1 {name}",
        r"selftest: exited with status 0"], forbid=("panic:", "does not answer"))
    vm = boot(run, machine)
    assert sum("watchdog:" in line for line in vm.lines) == 2


def test_lockup_serial(machine):
    """The core that takes the serial port's interrupts is the one that is deaf. Its report comes
    out all the same: it goes on only when a key is pressed, by who has read the last line."""
    name = "lockup-serial"
    qmp = output_path(name, "qmp")
    qmp.unlink(missing_ok=True)
    run = Run(name, limit=90, extra=(
        "-qmp", f"unix:{qmp},server=on,wait=off"),
        cmdline=f"console=tty0 console=ttyS0 loglevel=5 watchdog=1 selftest={name}")
    vm = machine(config_for(run), run.limit, run.name)
    for line in (r"watchdog: core 3 has not answered for \d+ s", at(3, "the kernel", "off"),
                 *trace("be_deaf_until_key", "core_job_run", "idle_work", "sched_idle",
                        "core_main", *STARTED)):
        vm.wait_line(line, forbid=("panic:",))
    press(Monitor(qmp), "a")
    vm.wait_line(f"ok 1 {name}", forbid=("panic:", "not ok"))
    assert vm.wait_exit(forbid=("panic:",)) == 0
