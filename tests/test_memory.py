# SPDX-License-Identifier: MIT
"""What the kernel takes of the machine's memory, by its own line before init."""

import re

import pytest

from booting import boot
from runs import Run, exited, lent

KIB_PER_MIB = 1024
MEMORY = r"memory: total (\d+) KiB, taken (\d+) KiB, free (\d+) KiB"
TAKEN_MAX = 6 * KIB_PER_MIB  # with 128 MiB and four cores
PER_CORE_MAX = 80


def figures(start, name, **more):
    """Boot, and read total, taken and free, in KiB."""
    run = Run(f"memory-{name}", init=("small",), expect=[MEMORY, exited(0)], **more)
    vm = boot(run, start)
    return tuple(map(int, re.search(MEMORY, vm.output()).groups()))


@pytest.mark.parametrize("boot_by, firmware, mib", [
    *(("pvh", "bios", mib) for mib in (4, 128, 3072)),
    ("iso", "bios", 32), ("iso", "uefi", 128)])
def test_the_line_adds_up(boot_by, firmware, mib, machine):
    """Total is the machine's memory but for the firmware's own, of which OVMF has much."""
    total, taken, free = figures(machine, f"adds-up-{boot_by}-{firmware}-{mib}", boot=boot_by,
                                 firmware=firmware, mem=f"{mib}M", limit=120)
    firmwares = (32 if firmware == "uefi" else 1) * KIB_PER_MIB
    assert total == taken + free
    assert mib * KIB_PER_MIB - firmwares < total <= mib * KIB_PER_MIB
    assert 0 < taken < total


def test_large_memory_costs_little(machine):
    """A byte for each frame, and the tables of the direct map."""
    total, taken, free = figures(machine, "8G", **lent("8G"))
    assert total == taken + free and total > 8191 * KIB_PER_MIB
    frames = total // 4
    assert taken < TAKEN_MAX + frames // KIB_PER_MIB


@pytest.mark.quick
def test_the_kernel_is_small(machine):
    _, taken, _ = figures(machine, "small", mem="128M")
    assert taken < TAKEN_MAX


def test_a_core_costs_little(machine):
    """Stacks, percpu data, counts: what 60 more cores take, from one boot to the other."""
    taken = {cores: figures(machine, f"cores-{cores}", smp=str(cores))[1] for cores in (4, 64)}
    assert 0 < (taken[64] - taken[4]) / 60 < PER_CORE_MAX
