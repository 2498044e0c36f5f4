# SPDX-License-Identifier: MIT
"""Both gates in turn, without a pause (tests/user/gates.asm), and NMIs on top of that."""

import re
import time
from collections import Counter

import pytest

from booting import boot, config_for
from machine import Monitor, output_path
from programs import run_tool
from qemu import KERNEL
from runs import Run, exited

# An NMI in `-d int`, with the address that it interrupted.
NMI_TAKEN = re.compile(r"^ *\d+: v=02 e=\w+ i=\d cpl=(\d) IP=\w+:(\w+) ", re.MULTILINE)
USER_END = 0x7ffffffff000
NMIS_AT_ONCE = 100
# Any interrupt, with the ring that it struck.
TAKEN = re.compile(r"^ *\d+: v=(\w\w) e=\w+ i=\d cpl=(\d) ", re.MULTILINE)
NMI, RING, GATE, TIMER = "02", "64", "80", "fe"


@pytest.mark.parametrize("cpu", [pytest.param("max", marks=pytest.mark.quick), "qemu64",
                                 "max,-xsave", "max,-avx"])
def test_gates(cpu, machine):
    boot(Run(f"gates-{cpu}", cpu=cpu, init=("gates",), expect=["gates: both in turn", exited(0)]),
         machine)


@pytest.mark.parametrize("gate", ["syscall", "int80"])
def test_gate_at_the_end_of_memory(gate, machine):
    """The call comes back to where nothing is mapped: a fault of ring 3, and not of sysretq."""
    program = f"top_{gate}"
    boot(Run(program, init=(program,), status=121, expect=[
        rf"{program}\[1\]: killed by SIGSEGV on core 0: #PF page fault at rip {USER_END:#x}: "
        rf"execution of {USER_END:#x}, it belongs to the kernel",
        "init: killed by signal 11"]), machine)


def kernel_symbols():
    return {fields[2]: int(fields[0], 16) for line in run_tool(["nm", KERNEL]).splitlines()
            if len(fields := line.split()) == 3}


def gate_parts():
    """
    What of the gates runs in ring 0 with the program's GS base or its stack: the address and the
    text of each instruction.
    """
    at = kernel_symbols()
    disassembly = run_tool(["objdump", "-D", "-j", ".text", "--no-show-raw-insn", KERNEL])
    lines = [(int(m[1], 16), m[2]) for m in
             re.finditer(r"^(f\w+):\t(.*)$", disassembly, re.MULTILINE)]

    def part(start, end):
        return {address: text for address, text in lines if at[start] <= address < at[end]}

    return {
        "int 0x80": part("int80_entry", "int80_entry.own_gs"),
        "iretq": part("int80_entry.user_gs", "int80_entry.end"),
        "syscall": part("syscall_entry", "syscall_entry.own_stack"),
        "sysretq": part("syscall_entry.user_stack", "syscall_entry.end"),
    }


def storm(vm, monitor, log):
    """Send NMIs until each instruction of `parts` was hit, and show where they came."""
    parts, template = gate_parts(), kernel_symbols()["nmi_count"]
    taken = Counter()
    deadline = time.monotonic() + vm.limit
    with log.open(encoding="ascii", errors="replace") as lines:
        while not all(taken["0", address] for part in parts.values() for address in part):
            assert time.monotonic() < deadline, f"not all were hit: {report(taken, parts)}"
            for _ in range(NMIS_AT_ONCE):
                monitor.execute("inject-nmi")
            counted = monitor.execute("human-monitor-command",
                                      **{"command-line": f"x /1gx {template:#x}"})
            assert int(counted.split()[1], 16) == 0, f"counted in the template: {counted}"
            taken.update((ring, int(pc, 16)) for ring, pc in NMI_TAKEN.findall(lines.read()))
    print(report(taken, parts))
    assert any(ring == "3" for ring, _ in taken)


def report(taken, parts):
    text = [f"{taken.total()} NMIs"]
    for name, part in parts.items():
        text.append(f"{name}: {sum(taken['0', address] for address in part)}")
        text += [f"    {taken['0', address]:6} {address:x} {line}" for address, line in part.items()]
    return "\n".join(text)


def test_nmi_storm(machine):
    """
    NMIs as fast as the monitor gives them, while a program does nothing but calls. QEMU translates
    one instruction at a time, so that an NMI can come between any two.

    A program's GS base is 0, with which `this_cpu` reaches the template of the per-CPU data, and no
    core's own. An entry that finds GS wrongly counts its NMI there, where none may be.
    """
    qmp, log = output_path("gates-nmi", "qmp"), output_path("gates-nmi", "int")
    qmp.unlink(missing_ok=True)
    run = Run("gates-nmi", smp="1", init=("gates", "endless"), limit=240, extra=(
        "-singlestep", "-qmp", f"unix:{qmp},server=on,wait=off", "-d", "int", "-D", str(log)))
    vm = machine(config_for(run), run.limit, run.name)
    vm.wait_line("gates: both in turn", forbid=run.forbid)
    monitor = Monitor(qmp)
    storm(vm, monitor, log)
    monitor.execute("quit")
    # it would have ended by itself, with a line, had a register changed
    assert vm.wait_exit(forbid=(*run.forbid, "init:")) is None
    log.unlink()  # many megabytes: each call is in it


@pytest.mark.parametrize("smp, cpu", [("2", "max"), ("4", "max"), ("8", "max"), ("4", "qemu64")])
def test_nmis_from_other_cores(smp, cpu, machine):
    """The self-test's own word for the registers; what struck where, from QEMU."""
    log = output_path(f"gates-fire-{smp}-{cpu}", "int")
    run = Run(f"gates-fire-{smp}-{cpu}", smp=smp, cpu=cpu, cmdline="selftest=gates-under-fire",
              extra=("-d", "int", "-D", str(log)), limit=180,
              expect=[r"# \d+ NMIs, \d+ rings", "ok 1 gates-under-fire",
                      r"selftest: exited with status 0"])
    vm = boot(run, machine)
    text = log.read_text(errors="replace")
    log.unlink()
    struck = TAKEN.findall(text)
    calls = [i for i, (vector, _) in enumerate(struck) if vector == GATE]
    while_it_ran = set(struck[calls[0]:calls[-1]])
    assert {(NMI, "3"), (RING, "3")} <= while_it_ran
    assert {(TIMER, "0"), (TIMER, "3")} & while_it_ran
    taken = [int(pc, 16) for _, pc in NMI_TAKEN.findall(text)]
    # one that looks for its core's data with the program's GS counts in a place of no core's
    counted = next(int(m[1]) for line in vm.lines if (m := re.match(r"# (\d+) NMIs", line)))
    assert counted == len(taken)
    at = kernel_symbols()
    for gate in ("int80_entry", "syscall_entry"):
        body = range(at[gate], at[f"{gate}.end"])
        assert any(pc in body for pc in taken), f"none of {len(taken)} NMIs in {gate}"
