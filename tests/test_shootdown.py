# SPDX-License-Identifier: MIT
"""Pages taken away from under other cores: what QEMU saw of the shootdown.

Each page costs each core that uses the space one interrupt, and no other core any. What ring 3 and
user copies read meanwhile is for the self-tests (space-in-ring-3, vm-shootdown) to say.
"""

import re

import pytest

import witness
from booting import boot
from runs import Run

CALL = 0xfb  # the vector of calls on other cores


def calls_taken(start, test, smp):
    """How many calls each core took during the boot and this self-test, and the test's lines."""
    run = Run(f"shootdown-{test}-{smp}", smp=str(smp), cmdline=f"selftest={test} watchdog=off",
              limit=120,
              expect=[rf"ok 1 {test}", r"selftest: exited with status 0"])
    witness.log_interrupts(run)
    vm = boot(run, start)
    return [taken[CALL] for taken in witness.interrupts(run.name)], vm.output()


@pytest.mark.parametrize("smp", [2, 4])
def test_one_interrupt_for_each_core_in_the_space(smp, machine):
    alone, _ = calls_taken(machine, "vm-large", smp)  # one core in a space, the others in none
    taken, text = calls_taken(machine, "space-in-ring-3", smp)
    pages, cores = map(int, re.search(r"# (\d+) pages taken away from under (\d+) cores",
                                      text).groups())
    assert cores == smp - 1 and pages > 0
    assert taken == [alone[0], *(calls + pages for calls in alone[1:])]
