# SPDX-License-Identifier: MIT
"""Rings as QEMU saw them: what its Local APICs were told, and which core took what.

The trace event apic_mem_writel shows every write to an interrupt command register (Intel SDM
vol 3A, "Interrupt Command Register (ICR)"), `-d int` every interrupt that a core takes. Both can go
to a file for each of QEMU's threads, and each core is a thread.
"""

import re
from collections import Counter
from dataclasses import dataclass

from machine import output_path

ICR_LOW, ICR_HIGH, TIMER_INITIAL = 0x300, 0x310, 0x380
FIXED = 0  # delivery mode
TO_DESTINATION, TO_SELF, TO_ALL, TO_OTHERS = range(4)  # the shorthands

# A line of `-d int`: the vector in hexadecimal, and for NMIs and interrupts i=0.
TAKEN = re.compile(r"^ *\d+: v=(\w\w) ", re.MULTILINE)


@dataclass(frozen=True)
class IcrWrite:
    vector: int
    mode: int
    shorthand: int
    apic_id: int  # of the destination half, as written last


def apic_writes(path):
    """(register, value) of every write to a Local APIC in a trace."""
    found = re.findall(r"^(?:\d+@[\d.]+:)?apic_mem_writel (0x\w+) = (0x\w+)$",
                       path.read_text(errors="replace"), re.MULTILINE)
    return [(int(register, 16), int(value, 16)) for register, value in found]


def icr_writes(path):
    """The ICR writes in a trace. `apic_id` means something where one core writes at a time."""
    high, writes = 0, []
    for register, value in apic_writes(path):
        if register == ICR_HIGH:
            high = value
        elif register == ICR_LOW:
            writes.append(IcrWrite(value & 0xff, value >> 8 & 7, value >> 18 & 3, high >> 24))
    return writes


def rings_of(writes, vector):
    """How often each (shorthand, apic_id) was written for a vector; a shorthand has no apic_id."""
    fixed = [w for w in writes if w.vector == vector and w.mode == FIXED]
    return Counter((w.shorthand, w.apic_id if w.shorthand == TO_DESTINATION else None)
                   for w in fixed)


def logs_of(name):
    """QEMU's log files of a run, one for each of its threads, in the order of their ids."""
    pattern = output_path(name, "int.*")
    return sorted(pattern.parent.glob(pattern.name), key=lambda path: int(path.suffix[1:]))


def core_logs(name):
    """The logs of the cores' threads; QEMU starts them in the cores' order."""
    return [path for path in logs_of(name)
            if re.search("v=|INT=", path.read_text(errors="replace"))]


def interrupts(name):
    """For each core the vectors that it took, counted."""
    return [Counter(int(vector, 16) for vector in TAKEN.findall(path.read_text(errors="replace")))
            for path in core_logs(name)]


def log_interrupts(run, writes=False):
    """Let QEMU log each interrupt of the run into its thread's file, and APIC writes if asked."""
    for old in logs_of(run.name):
        old.unlink()
    run.extra = (*run.extra, "-d", "int,tid", "-D", f"{output_path(run.name, 'int.%d')}",
                 *(("-trace", "apic_mem_writel") if writes else ()))
