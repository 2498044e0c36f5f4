# SPDX-License-Identifier: MIT
"""A device's line that moves from core to core, as QEMU's I/O APIC and its cores saw it."""

import re

from booting import boot
from runs import Run
from witness import core_logs, interrupts, log_interrupts

CORES = 4
DEVICE_VECTORS = range(239, 249)
PIT_ENTRY = 0x10 + 2 * 2  # gsi 2: its low half, the high half after it
MASKED, VECTOR, DESTINATION_SHIFT = 1 << 16, 0xff, 24
REGISTER, DATA = 0x00, 0x10


def entry_writes(path, entry):
    """(low half or high, value) of every write to a redirection entry, in their order."""
    found = re.findall(r"ioapic_mem_write .*addr (0x\w+) regsel:? (0x\w+) size (0x\w+) val (0x\w+)",
                       path.read_text(errors="replace"))
    assert found, "QEMU wrote no trace"
    return [(int(register, 16) - entry, int(value, 16)) for address, register, _, value in found
            if int(address, 16) == DATA and int(register, 16) in (entry, entry + 1)]


def places(writes):
    """Where the open entry led to: (core, vector). No other device has one of them meanwhile."""
    found, low, core = set(), MASKED, 0
    for half, value in writes:
        low, core = (value, core) if half == 0 else (low, value >> DESTINATION_SHIFT)
        if not low & MASKED:
            found.add((core, low & VECTOR))
    return found


def test_a_moving_line_is_never_masked_and_loses_nothing(machine):
    """The self-test awaits each of the PIT's edges; QEMU says what was written and what came."""
    run = Run("irq-line", smp=str(CORES), cmdline="selftest=ioapic-line",
              expect=["ok 1 ioapic-line"])
    log_interrupts(run)
    run.extra = (*run.extra, "-trace", "ioapic_mem_write")
    vm = boot(run, machine)

    edges, moves = map(int, next(m.groups() for line in vm.lines if (
        m := re.fullmatch(r"# (\d+) edges during (\d+) moves", line))))
    writes = entry_writes(core_logs(run.name)[0], PIT_ENTRY)  # the core that runs self-tests
    came = interrupts(run.name)
    taken = [sum(came[cpu][vector] for at, vector in places(writes) if at == cpu)
             for cpu in range(CORES)]
    first_and_each_core = 1 + CORES
    assert sum(taken) == edges + first_and_each_core
    assert all(taken), f"some core took none: {taken}"

    lows = [value for half, value in writes if half == 0]
    opened = next(i for i, low in enumerate(lows) if not low & MASKED)
    closed = len(lows) - 1
    assert lows[closed] & MASKED, "the last write leaves the line open"
    assert not any(low & MASKED for low in lows[opened:closed]), "it was masked while it moved"
    assert all(low & VECTOR in DEVICE_VECTORS for low in lows[opened:closed])
    destinations = [value >> DESTINATION_SHIFT for half, value in writes if half == 1]
    assert len(destinations) >= moves and set(destinations) == set(range(CORES))
