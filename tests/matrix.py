# SPDX-License-Identifier: MIT
"""The machines on which every core rings its next (the kernel's self-test ipi-to-next).

How the rows are picked. There are three ways in: "kernel" (QEMU's -kernel, by PVH), "bios" (the
disc under SeaBIOS) and "uefi" (the disc under OVMF). The usual machine is q35, -cpu max, four cores
and 256 MiB. VALUES changes one thing of it, and each of them is taken through each way in, where
that exists. The full product would be some ten thousand machines; PAIRS has those of two or more
changes that are likely to meet in one piece of code, through the way in that makes it hardest:

    many cores and the firmware's tables   255 processors fill SeaBIOS's tables, and OVMF's
    many cores and little memory           each core costs memory, the trampoline lies below 1 MiB
    sparse APIC ids and old CPUs           how a core finds out its own id (CPUID leaf 0Bh or 1)
    no ACPI and many sockets               the MP tables' processors
    a clock that is missing and others     all waits of the bring-up count on it
"""

from runs import PANIC, Run, lent

KERNEL, BIOS, UEFI = DOORS = ("kernel", "bios", "uefi")

RINGS_FEW, RINGS_MANY = 10000, 1000  # src/smp/ipi_selftest.c; one more is rung before
FEW_CORES = 8

# Seconds for a row. On two host cores that had much other work most rows took 1 to 3 s, those in
# UEFI 10 to 25, and those of 255 cores 27 to 90, in UEFI 192; the limits are some three times that.
LIMIT, LIMIT_UEFI, LIMIT_MANY = 60, 120, 600
MANY_CORES = 64


def lines(online, cores):
    """What the console shows, in this order."""
    rings = 1 + (RINGS_MANY if online > FEW_CORES else RINGS_FEW)
    return [rf"smp: {online} of {cores} cores online.*", "KTAP version 1", r"1\.\.1",
            rf"# {online} cores, {rings} rings each, (\d+) interrupts", "ok 1 ipi-to-next",
            "selftest: exited with status 0"]


def row(door, name, cores=4, **more):
    """A boot through a way in; `cores` are online, of `indices` that the firmware names, after the
    lines `before`."""
    indices, before = more.pop("indices", cores), more.pop("before", [])
    limit = LIMIT_UEFI if door == UEFI else LIMIT
    return Run(f"{door}-{name}",
               **{"cmdline": "selftest=ipi-to-next",
                  "boot": "pvh" if door == KERNEL else "iso",
                  "firmware": "uefi" if door == UEFI else "bios", "smp": str(cores),
                  "limit": limit if cores < MANY_CORES else LIMIT_MANY,
                  "expect": before + lines(cores, indices), "forbid": (PANIC, "^not ok"), **more})


# name, what is changed, and the ways in: all three unless it says so
VALUES = [
    *((f"cores-{n}", {"cores": n}) for n in (1, 2, 3, 4, 8, 16, 64, 255)),
    ("sockets-2-cores-3", {"cores": 6, "smp": "6,sockets=2,cores=3"}),
    ("sockets-2-cores-3-threads-2", {"cores": 12, "smp": "12,sockets=2,cores=3,threads=2"}),
    ("maxcpus-4", {"cores": 2, "smp": "2,maxcpus=4"}),
    ("qemu64", {"cpu": "qemu64"}),
    ("Nehalem", {"cpu": "Nehalem"}),
    ("pc", {"machine": "pc"}),
    ("32M", {"mem": "32M"}, (KERNEL, BIOS)),
    ("64M", {"mem": "64M"}, (UEFI,)),  # OVMF does not come up with 32
    ("8G", lent("8G")),
    ("64G", lent("64G")),
    ("no-pit", {"machine": "pc,pit=off"}),
    ("no-hpet", {"machine": "q35,hpet=off"}),
    # without ACPI an MP table names the cores, the first of each socket; OVMF does not come up
    ("pc-no-acpi-sockets", {"machine": "pc,acpi=off", "smp": "4,sockets=4,cores=1"},
     (KERNEL, BIOS)),
    ("pc-no-acpi", {"cores": 1, "machine": "pc,acpi=off", "smp": "4"}, (KERNEL, BIOS)),
    # SeaBIOS then brings tables of its own; OVMF's name no cores, and it has no MP table
    ("q35-no-acpi", {"machine": "q35,acpi=off"}, (KERNEL, BIOS)),
    ("q35-no-acpi", {"cores": 1, "machine": "q35,acpi=off", "smp": "4",
                     "before": [r"mp: no MADT and no MP table: this machine runs on one core"]},
     (UEFI,)),
]

PAIRS = [
    row(KERNEL, "cores-255-pc", 255, machine="pc"),
    row(KERNEL, "cores-255-64M", 255, mem="64M"),
    row(KERNEL, "cores-255-qemu64", 255, cpu="qemu64"),
    row(BIOS, "cores-255-sockets", 255, machine="pc", smp="255,sockets=255,cores=1"),
    row(BIOS, "cores-255-64M", 255, mem="64M"),
    row(UEFI, "cores-64-pc-Nehalem", 64, machine="pc", cpu="Nehalem"),
    row(KERNEL, "cores-64-64G", 64, **lent("64G")),
    row(BIOS, "cores-64-no-hpet-8G", 64, **{**lent("8G"),
                                            "machine": "q35,hpet=off,memory-backend=ram"}),
    row(KERNEL, "cores-64-32M", 64, mem="32M"),
    row(BIOS, "cores-16-32M-pc-qemu64", 16, machine="pc", cpu="qemu64", mem="32M"),
    row(UEFI, "cores-16-64M-qemu64", 16, cpu="qemu64", mem="64M"),
    row(KERNEL, "cores-1-32M-qemu64", 1, cpu="qemu64", mem="32M"),
    row(BIOS, "sparse-pc-qemu64", 6, smp="6,sockets=2,cores=3", machine="pc", cpu="qemu64"),
    row(UEFI, "sparse-threads-Nehalem", 12, smp="12,sockets=2,cores=3,threads=2", cpu="Nehalem"),
    row(KERNEL, "sparse-threads-no-clocks-but-pmtimer", 12, machine="q35,hpet=off,pit=off",
        smp="12,sockets=2,cores=3,threads=2"),
    row(BIOS, "sparse-q35-no-acpi", 6, machine="q35,acpi=off", smp="6,sockets=2,cores=3"),
    row(UEFI, "maxcpus-pc-8G-Nehalem", 2, smp="2,maxcpus=4", cpu="Nehalem",
        **{**lent("8G"), "machine": "pc,memory-backend=ram"}),
    row(BIOS, "maxcpus-255", 3, smp="3,maxcpus=255"),
    row(KERNEL, "pc-no-acpi-16-sockets", 16, machine="pc,acpi=off", smp="16,sockets=16,cores=1"),
    row(BIOS, "pc-no-acpi-8-cores-in-4-sockets", 4, machine="pc,acpi=off",
        smp="8,sockets=4,cores=2"),
    row(BIOS, "pc-no-acpi-no-hpet-qemu64-32M", machine="pc,acpi=off,hpet=off", cpu="qemu64",
        mem="32M", smp="4,sockets=4,cores=1"),
    row(KERNEL, "pc-no-clock-at-all", machine="pc,acpi=off,hpet=off,pit=off",
        smp="4,sockets=4,cores=1"),
    row(KERNEL, "cores-64-q35-no-acpi", 64, machine="q35,acpi=off"),
    row(KERNEL, "core-dead", 7, indices=8, smp="8", cmdline="selftest=ipi-to-next ap_dead=3"),
]

ROWS = [row(door, name, **changed)
        for name, changed, *doors in VALUES for door in (doors[0] if doors else DOORS)]
ROWS += PAIRS

# `make test` boots these: each way in, and of the rest what is quick and unlike the others.
PICK = {"kernel-cores-1", "kernel-cores-3", "kernel-cores-16", "kernel-sockets-2-cores-3",
        "kernel-maxcpus-4", "kernel-qemu64", "kernel-32M", "kernel-pc-no-acpi-sockets",
        "kernel-cores-64", "bios-cores-4", "bios-pc-no-acpi", "bios-q35-no-acpi", "uefi-cores-4"}
