# SPDX-License-Identifier: MIT
"""MP tables of our own, laid where the kernel looks before it finds SeaBIOS's: the last KiB of base
memory, into which QEMU's loader device puts them and which nothing on the way overwrites.

Source: Intel MultiProcessor Specification 1.4, "MP Configuration Table"
"""

import struct

import pytest

from booting import boot
from machine import output_path
from runs import calls, demo, small

PLACE = 0x9f800  # SeaBIOS has 639 KiB of base memory; its EBDA, looked at first, names no table
TABLE = PLACE + 16
NO_TABLE = r"mp: no ACPI and no MP table: this machine runs on one core"
IOAPIC = struct.pack("<BBBBI", 2, 8, 0x11, 1, 0xfec00000)
ISA_BUS = struct.pack("<BB6s", 1, 1, b"ISA   ")
TIMER = struct.pack("<BBHBBBB", 3, 0, 0, 1, 0, 8, 2)
NMI = struct.pack("<BBHBBBB", 4, 1, 0, 1, 0, 0xff, 1)
OTHERS = ISA_BUS + IOAPIC + TIMER + NMI


def sealed(data, at):
    """The bytes with the one at `at` such that they add up to 0."""
    data = bytearray(data)
    data[at] = 0
    data[at] = -sum(data) & 0xff
    return bytes(data)


def processors(*apic_ids, flags=1):
    return b"".join(struct.pack("<BBBBIIQ", 0, apic_id, 0x14, flags, 0, 0, 0)
                    for apic_id in apic_ids)


def pointer(config=0, features=0, table=TABLE):
    return sealed(struct.pack("<4sIBBBBBxxx", b"_MP_", table, 1, 4, 0, config, features), 10)


def table(entries, length=None):
    length = 44 + len(entries) if length is None else length
    header = struct.pack("<4sHBB8s12sIHHIHBB", b"PCMP", length, 4, 0, b"", b"", 0, 0, 0,
                         0xfee00000, 0, 0, 0)
    data = header + entries
    return sealed(data[:length], 7) + data[length:]


def with_tables(run, data):
    """The row on a machine without ACPI that has this at PLACE."""
    assert len(data) <= 1024
    path = output_path(run.name, "mptable")
    path.write_bytes(data)
    run.machine = "pc,acpi=off"
    run.extra = ("-device", f"loader,file={path},addr={PLACE:#x},force-raw=on")
    return run


def found(count):
    return rf"mp: MP table at {TABLE:#x}, processors: {count}, I/O APICs: 1"


def test_cores_in_the_order_of_the_table(machine):
    """Whatever the table's order, the core that runs is 0; a disabled entry gets no index."""
    run = demo("mp-order", 4, smp="5", before=[
        found(5), r"cpu: 1 cores of the firmware's table are disabled or for later: left alone",
        {rf"smp: core {core} online \(APIC id {apic_id}\)"
         for core, apic_id in ((1, 3), (2, 1), (3, 4))}])
    entries = processors(3, 1) + processors(2, flags=0) + processors(0, flags=3) + processors(4)
    boot(with_tables(run, pointer() + table(entries + OTHERS)), machine)


@pytest.mark.parametrize("config", [1, 5, 7])
def test_default_configuration(config, machine):
    run = small(f"mp-default-{config}", 2, smp="2", before=[
        rf"mp: default configuration {config}: two processors, one I/O APIC",
        r"apic: I/O APIC 2 at 0xfec00000, gsi 0 to 23"])
    boot(with_tables(run, pointer(config)), machine)


def test_imcr(machine):
    run = small("mp-imcr", 2, smp="2",
                before=[found(2), r"mp: the IMCR now sends interrupts by way of the APICs"])
    boot(with_tables(run, pointer(features=0x80) + table(processors(0, 1) + OTHERS)), machine)


def test_core_that_is_not_there(machine):
    """The table names one more than the machine has: it is given up in words."""
    run = demo("mp-core-missing", 2, 3, rung=(0, 2), smp="2", before=[
        found(3), r"smp: core 1 \(APIC id 9\) did not reach the trampoline.*"])
    boot(with_tables(run, pointer() + table(processors(0, 9, 1) + OTHERS)), machine)


def test_entries_that_make_no_sense(machine):
    """What stands before the bad entry holds."""
    run = small("mp-bad-entry", 2, smp="2", before=[
        found(2), rf"mp: the MP table makes no sense at byte {44 + 40 + 32}: .*"])
    entries = processors(0, 1) + OTHERS + b"\x77" * 8 + processors(2)
    boot(with_tables(run, pointer() + table(entries)), machine)


BAD = {
    "checksum": (pointer() + bytes(44), "makes no sense"),
    "sum": (pointer() + table(processors(0, 1) + OTHERS)[:-1] + b"\x55", "has a wrong checksum"),
    "short": (pointer() + table(OTHERS, length=43), "makes no sense"),
    "long": (pointer() + table(OTHERS, length=0xffff), "has a wrong checksum"),
    "nowhere": (pointer(table=0xfffffff0), "makes no sense"),
}


@pytest.mark.parametrize("bad", BAD)
def test_damaged_table(bad, machine):
    data, why = BAD[bad]
    address = 0xfffffff0 if bad == "nowhere" else TABLE
    run = small(f"mp-bad-{bad}", 1, smp="2", before=[
        rf"mp: the MP table at {address:#x} {why}: passed over", NO_TABLE])
    boot(with_tables(run, data), machine)


def test_calls_without_any_table(machine):
    """No I/O APIC is known then: irqs begin at 16."""
    run = calls("no-tables", 1, gsis=0)
    run.smp = "4"
    boot(with_tables(run, BAD["checksum"][0]), machine)
