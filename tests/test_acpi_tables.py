# SPDX-License-Identifier: MIT
"""Boots on machines whose firmware names cores as QEMU's never does: ACPI tables of our own."""

import pytest

from acpi import (ENABLED, IOAPIC_ADDRESS, ONLINE_CAPABLE, fadt, ioapic, lapic, madt, options,
                  override, x2apic)
from booting import boot
from runs import demo, small

IOAPIC = ioapic(0, IOAPIC_ADDRESS, 0)
LATER = "cpu: {} cores of the firmware's table are disabled or for later: left alone"


def with_tables(run, *tables):
    run.machine = "pc,acpi=off"
    run.extra = options(run.name, *tables)
    return run


def online(*pairs):
    return {rf"smp: core {core} online \(APIC id {apic_id}\)" for core, apic_id in pairs}


def test_type_9_entries(machine):
    """x2APIC entries name cores with 8-bit ids as well; a core named twice is one."""
    run = demo("acpi-type-9", smp="4", before=[online((1, 3), (2, 1), (3, 2))])
    entries = [x2apic(3), lapic(0), x2apic(1), x2apic(0), lapic(3), x2apic(2)]
    boot(with_tables(run, fadt(6, 5), madt(5, *entries, IOAPIC)), machine)


def test_the_boot_core_comes_last(machine):
    run = demo("acpi-boot-core-last", smp="3", online=3, before=[online((1, 2), (2, 1))])
    boot(with_tables(run, madt(3, lapic(2), lapic(1), lapic(0), IOAPIC)), machine)


@pytest.mark.parametrize("name, fadt_version, revision", [
    ("old", (1, 0), 1), ("6.2", (6, 2), 4), ("6.3", (6, 3), 5), ("6.5", (6, 5), 5)])
def test_online_capable_is_left_alone(name, fadt_version, revision, machine):
    """Not enabled is not started, whatever the second bit means in that version."""
    run = small(f"acpi-online-capable-{name}", 2, smp="4", before=[LATER.format(2)])
    entries = [lapic(0), lapic(1, ONLINE_CAPABLE), x2apic(2, ONLINE_CAPABLE), lapic(3)]
    boot(with_tables(run, fadt(*fadt_version), madt(revision, *entries, IOAPIC)), machine)


def test_enabled_and_online_capable(machine):
    """Both bits at once are a fault of the firmware's; enabled holds."""
    run = small("acpi-both-flags", 2, smp="2")
    entries = [lapic(0), lapic(1, ENABLED | ONLINE_CAPABLE)]
    boot(with_tables(run, fadt(6, 5), madt(5, *entries, IOAPIC)), machine)


def test_hundreds_of_entries(machine):
    """701 entries, of which three are cores: the others are slots, and take nobody's place."""
    run = small("acpi-hundreds", 3, smp="3", before=[LATER.format(698)])
    slots = [x2apic(apic_id, 0) for apic_id in range(300, 900)]
    entries = [lapic(0), *(lapic(i, 0) for i in range(100, 198)), *slots, lapic(1), x2apic(2)]
    boot(with_tables(run, madt(5, *entries, IOAPIC)), machine)


def test_ids_beyond_the_apic(machine):
    """An enabled id that an xAPIC cannot address keeps its index and is left behind in words."""
    run = demo("acpi-id-beyond", 2, 3, rung=(0, 2), smp="2", cpu="qemu64", before=[
        r"smp: core 1 \(APIC id 4096\) is left behind: its id cannot be addressed"])
    boot(with_tables(run, madt(5, lapic(0), x2apic(4096), lapic(1), IOAPIC)), machine)


def test_several_ioapics(machine):
    """The second is where nothing answers: it is passed over in words, the first serves."""
    run = small("acpi-ioapics", 2, smp="2", before=[
        r"apic: no I/O APIC at 0xfec10000, though the firmware lists one",
        r"apic: I/O APIC 0 at 0xfec00000, gsi 0 to 23"])
    second = ioapic(1, 0xfec10000, 24)
    boot(with_tables(run, madt(3, lapic(0), lapic(1), second, IOAPIC, override(0, 2))), machine)


def test_acpi_that_names_no_cores(machine):
    """ACPI without a MADT: the MP table, which SeaBIOS makes here, stands in."""
    run = small("acpi-no-madt", 2, smp="2,sockets=2,cores=1", before=[
        r"mp: MP table at 0xf\w+, processors: 2, I/O APICs: 1"])
    boot(with_tables(run, fadt(6, 5)), machine)
