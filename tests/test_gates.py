# SPDX-License-Identifier: MIT
"""Both gates in turn, without a pause (tests/user/gates.asm), and NMIs on top of that."""

import contextlib
import re

import pytest

from booting import boot, config_for
from machine import Monitor, output_path
from programs import run_tool
from qemu import KERNEL
from runs import Run, exited

# An NMI in `-d int`, with the address that it interrupted.
NMI_TAKEN = re.compile(r"^ *\d+: v=02 e=\w+ i=\d cpl=(\d) IP=\w+:(\w+) ", re.MULTILINE)


@pytest.mark.parametrize("cpu", [pytest.param("max", marks=pytest.mark.quick), "qemu64",
                                 "max,-xsave", "max,-avx"])
def test_gates(cpu, machine):
    boot(Run(f"gates-{cpu}", cpu=cpu, init=("gates",), expect=["gates: both in turn", exited(0)]),
         machine)


def gate_addresses():
    """Where the two entries and the way back lie, up to the next symbol."""
    symbols = sorted((int(line.split()[0], 16), line.split()[2])
                     for line in run_tool(["nm", KERNEL]).splitlines() if len(line.split()) == 3)
    starts = [address for address, _ in symbols]
    for address, name in symbols:
        if name in ("int80_entry", "syscall_entry"):
            yield range(address, min(other for other in starts if other > address))


def test_nmi_storm(machine):
    """NMIs as fast as the monitor gives them, while a program does nothing but calls."""
    qmp, log = output_path("gates-nmi", "qmp"), output_path("gates-nmi", "int")
    qmp.unlink(missing_ok=True)
    run = Run("gates-nmi", init=("gates",), extra=(
        "-qmp", f"unix:{qmp},server=on,wait=off", "-d", "int", "-D", str(log)))
    vm = machine(config_for(run), run.limit, run.name)
    vm.wait_line("gates: both in turn", forbid=run.forbid)
    with contextlib.suppress(ConnectionError, BrokenPipeError):  # until the program has ended
        monitor = Monitor(qmp)
        while True:
            monitor.execute("inject-nmi")
    vm.wait_line(exited(0), forbid=run.forbid)
    assert vm.wait_exit() == 0
    taken = NMI_TAKEN.findall(log.read_text(errors="replace"))
    log.unlink()  # more than a hundred megabytes: each call is in it
    gates = list(gate_addresses())
    in_gates = {int(pc, 16) for _, pc in taken if any(int(pc, 16) in gate for gate in gates)}
    in_ring_3 = sum(cpl == "3" for cpl, _ in taken)
    assert in_ring_3 > 0 and in_gates, f"{len(taken)} NMIs, {in_ring_3} in ring 3, {in_gates}"
