# SPDX-License-Identifier: MIT
"""Programs started on chosen cores (exec, enq_task, exec_ap), and vectors that programs claim."""

from collections import Counter

import pytest

import programs
from booting import boot
from machine import STAMP, without_stamp
from runs import PANIC, Run, exited

FORBID = (PANIC, "^case: ", "^broken: ")


@pytest.mark.quick
def test_starts(machine):
    """Results and errors of the calls that start programs."""
    boot(Run("starts", init=("starts",), forbid=FORBID, expect=[
        r"starts: \d+ cases, 0 failed", exited(0)]), machine, programs.initrd_of("starts"))


@pytest.mark.parametrize("dead", ["", "2"])
def test_claims(dead, machine):
    """Results and errors of ipi_wait, and of the calls that meet a claim."""
    run = Run(f"claims{dead}", init=("claims", f"dead={dead}") if dead else ("claims",),
              cmdline=f"ap_dead={dead}" if dead else "", forbid=FORBID, limit=120,
              expect=[r"claims: \d+ cases, 0 failed", exited(0)])
    boot(run, machine, programs.initrd_of("claims"))


def test_rings_between_programs(machine):
    """100,000 rings from each of four cores to each other, by programs bound to them."""
    run = Run("rings", init=("rings",), forbid=FORBID, limit=400, expect=[
        *(f"core {core}: 300000 rings sent, 300000 received" for core in range(4)), exited(0)])
    boot(run, machine, programs.initrd_of("rings", "ringer"))


def test_twice_a_thousand_times(machine):
    """Two programs started on core 1, one after the other, and that a thousand times over."""
    rounds, warm_up = 1000, 20
    run = Run("twice-again", init=("twice_again", str(rounds)), forbid=FORBID, limit=400, expect=[
        rf"{2 * (rounds + warm_up)} started, \d+ times the slot was taken",
        r"free before \d+ KiB, after \d+ KiB", exited(0)])
    vm = boot(run, machine, programs.initrd_of("twice_again", "mark"))
    where = Counter(without_stamp(line) for line in vm.lines if "mark: on core" in line)
    assert where == {"mark: on core 1": 2 * (rounds + warm_up)}
    letters = sum(line.count("A") for line in vm.lines if not STAMP.match(line))
    assert letters == 2 * (rounds + warm_up)
