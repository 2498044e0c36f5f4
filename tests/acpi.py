# SPDX-License-Identifier: MIT
"""ACPI tables of our own for a machine in QEMU.

With acpi=off QEMU hands no tables to SeaBIOS. SeaBIOS takes them from three firmware configuration
files: the tables, the root pointer, and a list of commands that place them, fill in the addresses
and then the checksums. Files of our own, by -fw_cfg, stand in for QEMU's.

Source: ACPI Specification 6.5, "Root System Description Pointer (RSDP)", "Fixed ACPI Description
Table (FADT)", "Multiple APIC Description Table (MADT)"; QEMU hw/acpi/bios-linker-loader.c for the
commands.
"""

import struct

from machine import output_path

TABLES, ROOT = b"etc/acpi/tables", b"etc/acpi/rsdp"
ZONE_HIGH, ZONE_FSEG = 1, 2
HEADER = struct.Struct("<4sIBB6s8sI4sI")
CHECKSUM_AT = 9

ENABLED, ONLINE_CAPABLE = 1, 2
LAPIC_ADDRESS, IOAPIC_ADDRESS = 0xfee00000, 0xfec00000


def allocate(name, align, zone):
    return struct.pack("<I56sIB63x", 1, name, align, zone)


def add_pointer(into, to, offset, size):
    return struct.pack("<I56s56sIB7x", 2, into, to, offset, size)


def add_checksum(name, at, start, length):
    return struct.pack("<I56sIII56x", 3, name, at, start, length)


def table(signature, revision, body):
    """A table whose checksum is still to be filled in."""
    return HEADER.pack(signature, HEADER.size + len(body), revision, 0, b"CARILL", b"TESTTABL", 1,
                       b"TEST", 1) + body


def fadt(revision, minor):
    """One that offers nothing; `minor` lies at byte 131, the body begins at 36."""
    body = bytearray(244 - HEADER.size)
    body[131 - HEADER.size] = minor
    return table(b"FACP", revision, bytes(body))


def madt(revision, *entries):
    return table(b"APIC", revision, struct.pack("<II", LAPIC_ADDRESS, 1) + b"".join(entries))


def lapic(apic_id, flags=ENABLED):
    return struct.pack("<BBBBI", 0, 8, apic_id & 0xff, apic_id, flags)


def x2apic(apic_id, flags=ENABLED):
    """A processor as entry type 9 names it."""
    return struct.pack("<BBHIII", 9, 16, 0, apic_id, flags, apic_id)


def ioapic(number, address, first_gsi):
    return struct.pack("<BBBBII", 1, 12, number, 0, address, first_gsi)


def override(isa_irq, gsi):
    return struct.pack("<BBBBIH", 2, 10, 0, isa_irq, gsi, 0)


def options(name, *tables):
    """QEMU's options for a `pc` machine whose firmware offers these tables."""
    rsdt = table(b"RSDT", 1, bytes(4 * len(tables)))
    commands = [allocate(TABLES, 64, ZONE_HIGH), allocate(ROOT, 16, ZONE_FSEG)]
    sums = [(0, len(rsdt))]
    data = bytearray(rsdt)
    for index, one in enumerate(tables):
        at = HEADER.size + 4 * index
        struct.pack_into("<I", data, at, len(data))  # the command adds the file's address
        commands.append(add_pointer(TABLES, TABLES, at, 4))
        sums.append((len(data), len(one)))
        data += one
    commands += [add_checksum(TABLES, start + CHECKSUM_AT, start, size) for start, size in sums]
    commands += [add_pointer(ROOT, TABLES, 16, 4), add_checksum(ROOT, 8, 0, 20)]
    root = struct.pack("<8sB6sBI", b"RSD PTR ", 0, b"CARILL", 0, 0)
    found = []
    for kind, content in (("etc/acpi/tables", bytes(data)), ("etc/acpi/rsdp", root),
                          ("etc/table-loader", b"".join(commands))):
        path = output_path(name, kind.rsplit("/", 1)[1])
        path.write_bytes(content)
        found += ["-fw_cfg", f"name={kind},file={path}"]
    return tuple(found)
