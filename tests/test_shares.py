# SPDX-License-Identifier: MIT
"""A hundred spinners (tests/user/shares.c): does each get its share of the cores?"""

import re
from dataclasses import dataclass

import programs
from booting import boot
from runs import PANIC, Run, exited

SPINNERS, SECONDS = 100, 20
SLICE_US = 10_000
TOLERANCE = 0.1
LINE = re.compile(r"spinner (\d+): ran (\d+) us of (\d+) us, (\d+) slices, core (\d+), (\d+) moves")


@dataclass
class Spinner:
    number: int
    used_us: int
    elapsed_us: int
    slices: int
    core: int
    moves: int


def spinners(name, machine, **more):
    run = Run(name, init=("shares", str(SPINNERS), str(SECONDS)), forbid=(PANIC, "^broken: "),
              expect=[f"{SPINNERS} of {SPINNERS} told, 0 failed", exited(0)], **more)
    vm = boot(run, machine, programs.initrd_of("shares"))
    return [Spinner(*map(int, match.groups())) for line in vm.lines if (match := LINE.match(line))]


def test_one_core_by_instructions(machine):
    """
    One core whose clock counts instructions, 16 ns each: each spinner has a hundredth of the time
    in which it was there, and no slice was longer than 10 ms.
    """
    all_of_them = spinners("shares-1", machine, smp="1", limit=300,
                           extra=("-icount", "shift=4,sleep=off"))
    shares = [one.used_us / one.elapsed_us * SPINNERS for one in all_of_them]
    print(f"shares {min(shares):.3f} to {max(shares):.3f}")
    assert all(1 - TOLERANCE <= share <= 1 + TOLERANCE for share in shares), sorted(shares)
    # the slice that it is in when it looks has not been used up yet
    assert all(one.used_us <= (one.slices + 1) * SLICE_US * 1.01 for one in all_of_them)
    assert all(one.elapsed_us > 0.9 * SECONDS * 1_000_000 for one in all_of_them)


def test_four_cores(machine):
    """
    Four cores that share the host's as they can: each spinner gets on, and of those that stayed on
    one core all the time each used up as many slices a second as the others there.
    """
    all_of_them = spinners("shares-4", machine, smp="4", limit=300)
    assert all(one.used_us > 0 and one.slices > 0 for one in all_of_them)
    for core in range(4):
        stayed = [one for one in all_of_them if one.core == core and one.moves == 0]
        assert len(stayed) >= 5, "too few to tell"
        rates = [one.slices * 1_000_000 / one.elapsed_us for one in stayed]
        print(f"core {core}: {len(stayed)} stayed, {min(rates):.3f} to {max(rates):.3f} slices/s")
        assert max(rates) - min(rates) <= TOLERANCE * max(rates), sorted(rates)
