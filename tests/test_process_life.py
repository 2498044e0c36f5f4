# SPDX-License-Identifier: MIT
"""Programs that do what they must not, started by one that goes on: only they suffer, the log says
why, the parent gets the status, and the memory is free again."""

import re

import pytest

import programs
from booting import boot
from runs import PANIC, Run, exited

WHERE = r"on core \d+: #\w\w [^:]* at rip 0x[0-9a-f]+"
SEGV = "killed by SIGSEGV"
NOT_MAPPED, READ_ONLY = "no page is mapped there", "the page is read-only"
NOT_EXECUTABLE, KERNELS = "the page is not executable", "it belongs to the kernel"


def page_fault(access, why):
    return rf"{SEGV} {WHERE}: {access} (?:0x)?[0-9a-f]+, {why}"


GENERAL = rf"{SEGV} on core \d+: #GP general protection at rip 0x[0-9a-f]+(?:: error code \w+)?"

# What the kernel's log says of each in tests/user/suffer.c, in their order; None: nothing.
REASONS = {
    "divide": rf"killed by SIGFPE on core \d+: #DE [^:]* at rip 0x[0-9a-f]+",
    "jump-to-kernel": page_fault("execution of", KERNELS),
    "jump-to-data": page_fault("execution of", NOT_EXECUTABLE),
    "jump-to-null": rf"{SEGV} on core \d+: #PF page fault at rip (?:0x)?0: "
                    rf"execution of (?:0x)?0, {NOT_MAPPED}",
    "halt": GENERAL,
    "disable-interrupts": GENERAL,
    "write-port": GENERAL,
    "write-code": page_fault("write to", READ_ONLY),
    "read-kernel": page_fault("read of", KERNELS),
    "write-unmapped": page_fault("write to", NOT_MAPPED),
    "write-protected": page_fault("write to", READ_ONLY),
    "overrun-stack": page_fault("write to",
                                "the guard below the stack: the stack has overrun"),
    "exhaust-memory": rf"killed by SIGKILL {WHERE}: write to 0x[0-9a-f]+, memory ran out",
    "undefined": rf"killed by SIGILL on core \d+: #UD [^:]* at rip 0x[0-9a-f]+",
    "breakpoint": rf"killed by SIGTRAP on core \d+: #BP [^:]* at rip 0x[0-9a-f]+",
    "forbidden-interrupt": GENERAL,
    "no-stack": page_fault("write to", KERNELS),
}
ENDS = {"SIGFPE": 8, "SIGSEGV": 11, "SIGKILL": 9, "SIGILL": 4, "SIGTRAP": 5}


def end_of(name, reason):
    """What the parent prints of it."""
    signal = next(number for word, number in ENDS.items() if f"killed by {word}" in reason)
    return f"{name}: killed by signal {signal}"


def suffering():
    for name, reason in REASONS.items():
        yield rf"suffer\[\d+\]: {reason}"
        yield end_of(name, reason)


@pytest.mark.parametrize("smp", ["1", "4"])
def test_only_they_suffer(smp, machine):
    """Twice over, the first time to warm up; then as much memory is free as before."""
    run = Run(f"suffer-{smp}", smp=smp, init=("suffer", "leaks"), limit=180,
              expect=[*suffering(), *suffering(), r"free before \d+ KiB, after \d+ KiB", exited(0)])
    boot(run, machine, programs.initrd_of("suffer"))


@pytest.mark.parametrize("smp", ["1", "4", "8"])
def test_crowd(smp, machine):
    """Twelve programs with their children at once, on all cores; nothing is left of them."""
    run = Run(f"crowd-{smp}", smp=smp, init=("crowd", "leaks"), limit=240,
              forbid=(PANIC, "^wrong ", "^broken: "),
              expect=["12 at once, 0 failed", "12 at once, 0 failed",
                      r"free before \d+ KiB, after \d+ KiB", exited(0)])
    boot(run, machine, programs.initrd_of("crowd"))


@pytest.mark.parametrize("smp", [pytest.param("2", marks=pytest.mark.soak), "4"])
def test_wild_arguments(smp, machine):
    """Every number of both gates with wild arguments, each tried by a child (tests/user/bad.c)."""
    run = Run(f"bad-{smp}", smp=smp, init=("bad",), limit=400,
              expect=[r"syscall: \d+ numbers refused all, .*", r"int 0x80: \d+ numbers refused .*",
                      r"free before \d+ KiB, after \d+ KiB", "still here", exited(0)])
    vm = boot(run, machine, programs.initrd_of("bad"))
    tried = [line for line in vm.lines if re.match(r"(syscall|int 0x80): \d+ numbers", line)]
    # most numbers are no calls, and those that are refuse most of what they get
    assert all(int(re.search(r"(\d+) numbers refused all", line)[1]) > 250 for line in tried), tried
