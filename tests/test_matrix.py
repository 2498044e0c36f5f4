# SPDX-License-Identifier: MIT
"""Every core rings its next, on each machine of matrix.py; and what that looks like from outside.

The long ones are for `make soak`; a pick of them is in `make test` too.
"""

import re
import struct

import pytest

import witness
from booting import boot, config_for
from ktap import check, read_ktap
from machine import Monitor, output_path
from matrix import BIOS, DOORS, KERNEL, PICK, RINGS_FEW, RINGS_MANY, ROWS, UEFI, row
from qemu import KERNEL as IMAGE

VECTOR, TIMER = 100, 254  # the self-test's; the kernel's own


def params():
    for run in ROWS:
        marks = [pytest.mark.soak] + ([pytest.mark.pick] if run.name in PICK else [])
        yield pytest.param(run, id=run.name, marks=marks)


def test_names():
    names = [run.name for run in ROWS]
    assert len(names) == len(set(names)) and PICK <= set(names)


@pytest.mark.parametrize("run", params())
def test_every_core_to_its_next(run, machine):
    vm = boot(run, machine)
    report = read_ktap(vm.lines)
    check(report, vm)
    assert report.passed == ["ipi-to-next"]


# ---- every write, every interrupt ----------------------------------------------------------------


SPARSE = (0, 1, 2, 4, 5, 6)


@pytest.mark.parametrize("door, ids, rings, more", [
    pytest.param(KERNEL, range(4), RINGS_FEW, {}, id="4"),
    pytest.param(KERNEL, SPARSE, RINGS_FEW, {"smp": "6,sockets=2,cores=3"}, id="sparse"),
    pytest.param(BIOS, range(16), RINGS_MANY, {"machine": "pc"}, id="16-pc-disc",
                 marks=pytest.mark.soak),
    pytest.param(UEFI, range(4), RINGS_FEW, {}, id="4-uefi", marks=pytest.mark.soak),
    pytest.param(KERNEL, range(64), RINGS_MANY, {}, id="64", marks=pytest.mark.soak),
])
def test_writes_and_interrupts(door, ids, rings, more, machine):
    """Each core writes its ICR once a ring, for its next alone, and each takes interrupts.

    The boot core may write more: its timer rings again where a count waits longer than 50 ms
    (src/smp/scan.c), as it does when the host has no time for a core; once a tick for each.
    """
    ids = list(ids)
    run = row(door, f"witness-{len(ids)}-{more.get('machine', '')}", len(ids), **more)
    witness.log_interrupts(run, writes=True)
    vm = boot(run, machine)
    logs = witness.core_logs(run.name)
    assert len(logs) == len(ids)
    taken = witness.interrupts(run.name)
    for core, log in enumerate(logs):
        expected = {ids[(core + 1) % len(ids)]: rings}
        if core == 0:  # it also rang each core once, alone
            expected = {apic_id: 1 + expected.get(apic_id, 0) for apic_id in ids}
        written = witness.rings_of(witness.icr_writes(log), VECTOR)
        assert written.keys() == {(witness.TO_DESTINATION, apic_id) for apic_id in expected}
        for apic_id, n in expected.items():
            again = written[witness.TO_DESTINATION, apic_id] - n
            assert 0 <= again <= (taken[0][TIMER] if core == 0 else 0), (core, apic_id)
    taken = [core[VECTOR] for core in taken]
    assert all(n >= 1 for n in taken), taken
    counted = re.search(r"^# .* rings each, (\d+) interrupts$", vm.output(), re.MULTILINE)
    assert sum(taken) >= int(counted[1]), "the kernel counts more than there were"


# ---- where the kernel lies -----------------------------------------------------------------------


LINK_BASE = 0x200000  # linker.ld


def constants_of(image):
    """The segment that holds the constants (read-only, not executable): link address and bytes."""
    elf = image.read_bytes()
    start, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for i in range(count):
        kind, flags, offset, _, physical, length = struct.unpack_from("<IIQQQQ", elf,
                                                                      start + i * size)
        if kind == 1 and flags == 4:
            return physical, elf[offset:offset + length]
    raise ValueError("the kernel has no constants")


def memory_at(monitor, name, address, size):
    path = output_path(name, "memory")
    monitor.execute("pmemsave", val=address, size=size, filename=str(path))
    return path.read_bytes()


def base_seen(door, mem, machine):
    """Boot and ring; then look for the kernel's constants in the machine's memory from outside."""
    run = row(door, f"base-{mem}", mem=mem, debugexit=False, status=None)
    qmp = output_path(run.name, "qmp")
    qmp.unlink(missing_ok=True)
    run.extra = ("-no-shutdown", "-qmp", f"unix:{qmp},server=on,wait=off")
    vm = machine(config_for(run), run.limit, run.name)
    vm.wait_line(r"memory: .*, kernel at 0x\w+", forbid=run.forbid)
    said = int(vm.lines[-1].rsplit(" ", 1)[1], 16)
    vm.wait_line("ok 1 ipi-to-next", forbid=run.forbid)
    monitor = Monitor.of(qmp)
    linked, constants = constants_of(IMAGE)
    assert memory_at(monitor, run.name, said + linked - LINK_BASE, len(constants)) == constants
    if said != LINK_BASE:
        assert memory_at(monitor, run.name, linked, len(constants)) != constants
    monitor.execute("quit")
    return said


def test_two_physical_bases(machine):
    bases = {(door, mem): base_seen(door, mem, machine)
             for door in DOORS for mem in (("256M", "128M") if door == BIOS else ("256M",))}
    assert bases[KERNEL, "256M"] == LINK_BASE
    assert all(base % LINK_BASE == 0 for base in bases.values())
    assert len({bases[KERNEL, "256M"], bases[BIOS, "256M"], bases[BIOS, "128M"]}) == 3
    assert bases[UEFI, "256M"] != LINK_BASE
