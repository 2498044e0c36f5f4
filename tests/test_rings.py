# SPDX-License-Identifier: MIT
"""Rings, seen from outside: what QEMU's Local APICs were told, and which core took what."""

import contextlib
import re
from collections import Counter

import pytest

from booting import boot, config_for
from machine import Monitor, output_path
from runs import Run, exited
from witness import (ICR_LOW, TIMER_INITIAL, TO_ALL, TO_DESTINATION, TO_OTHERS, FIXED, apic_writes,
                     icr_writes, interrupts, log_interrupts, logs_of, rings_of)

VECTOR_KERNEL_FIRST = 249
NMI, TIMER = 2, 254

# A line of `-d int`, of an NMI or an interrupt (i=0) that met ring 3.
TAKEN_IN_RING_3 = re.compile(r"^ *\d+: v=(\w\w) e=\w+ i=0 cpl=3 ", re.MULTILINE)


@pytest.fixture
def watched(machine, request):
    """Boots a row with the trace on. watched(run) returns the machine and the ICR's writes."""

    def start(run):
        trace = output_path(run.name, "apic")
        trace.unlink(missing_ok=True)
        run.extra = (*run.extra, "-trace", f"apic_mem_writel,file={trace}")
        vm = boot(run, machine)
        assert apic_writes(trace), "QEMU wrote no trace"
        return vm, trace

    return start


def ring_run(name, script, **more):
    """A boot of tests/user/ring.c, which does what the words of `script` say."""
    return Run(name, init=("ring", *script.split()), **{"expect": [exited(0)], **more})


def results(vm):
    """What ring.c printed: its words and their results."""
    return {m[1]: int(m[2]) for line in vm.lines if (m := re.fullmatch(r"(\S+) = (-?\d+)", line))}


def received(vm):
    """The rings that each core's message handler wrote about, folded ones counted."""
    count = Counter()
    for line in vm.lines:
        match = re.fullmatch(r"\[ *\d+\.\d{6}\] Received IPI (\d+)(?: \((\d+) rings\))?", line)
        if match:
            count[int(match[1])] += int(match[2] or 1)
    return count


# ---- what is written -----------------------------------------------------------------------------


@pytest.mark.quick
@pytest.mark.parametrize("cores", [1, 2, 4, 8])
def test_a_ring_to_one_core_is_one_write(watched, cores):
    words = " ".join(f"33@{core}" for core in range(cores))
    vm, trace = watched(ring_run(f"icr-one-{cores}", f"+33 {words} 33@0x20 -33", smp=str(cores)))
    assert rings_of(icr_writes(trace), 33) == {
        (TO_DESTINATION, core): 21 if core == 0 else 1 for core in range(cores)}
    assert received(vm) == {core: 21 if core == 0 else 1 for core in range(cores)}


def test_the_destination_is_the_apic_id(watched):
    words = " ".join(f"33@{core}" for core in range(6))
    _, trace = watched(ring_run("icr-sparse", f"+33 {words} -33", smp="6,sockets=2,cores=3"))
    assert rings_of(icr_writes(trace), 33) == {
        (TO_DESTINATION, apic_id): 1 for apic_id in (0, 1, 2, 4, 5, 6)}


@pytest.mark.quick
@pytest.mark.parametrize("smp, cores", [("2", 2), ("4", 4), ("8", 8), ("6,sockets=2,cores=3", 6),
                                        ("2,maxcpus=4", 2)])
def test_all_and_others_are_one_write_each(watched, smp, cores):
    vm, trace = watched(ring_run(f"icr-many-{smp}", "+34 34@-1 -34 +35 35@-2 -35", smp=smp))
    writes = icr_writes(trace)
    assert rings_of(writes, 34) == {(TO_ALL, None): 1}
    assert rings_of(writes, 35) == {(TO_OTHERS, None): 1}
    assert results(vm)["34@-1"] == cores and results(vm)["35@-2"] == cores - 1
    assert received(vm) == {core: 1 if core == 0 else 2 for core in range(cores)}


@pytest.mark.parametrize("words", ["ap_dead=2", "maxcpus=3"])
def test_no_shorthand_reaches_a_core_that_is_not_online(watched, words):
    online = (0, 1, 3) if words.startswith("ap_dead") else (0, 1, 2)
    vm, trace = watched(ring_run(f"icr-{words}", "+34 34@-1 -34 +35 35@-2 -35", cmdline=words))
    writes = icr_writes(trace)
    assert rings_of(writes, 34) == {(TO_DESTINATION, core): 1 for core in online}
    assert rings_of(writes, 35) == {(TO_DESTINATION, core): 1 for core in online[1:]}
    assert results(vm)["34@-1"] == 3 and results(vm)["35@-2"] == 2


def test_the_only_core_has_no_others(watched):
    vm, trace = watched(ring_run("icr-alone", "35@-2 +35 35@-2 35@-1 -35", smp="1"))
    assert results(vm)["35@-2"] == 0 and results(vm)["35@-1"] == 1
    assert sum(rings_of(icr_writes(trace), 35).values()) == 1


def test_what_fails_writes_nothing(watched):
    vm, trace = watched(ring_run(
        "icr-failures", "36@1 36@-1 36@-2 +36 -36 36@0 36@3 +37 37@4 37@-3 37@1000 -37 128@1 31@1"))
    assert all(result < 0 for word, result in results(vm).items() if "@" in word)
    written = {w.vector for w in icr_writes(trace) if w.mode == FIXED}
    assert not written & {31, 36, 37, 128}
    assert all(vector >= VECTOR_KERNEL_FIRST for vector in written)


@pytest.mark.parametrize("cores", [1, 4])
def test_random_arguments(watched, cores):
    """Only registered vectors are written, as often as the contract's model says; life goes on."""
    run = Run(f"icr-random-{cores}", smp=str(cores),
              init=("random", f"cores={cores}", "calls=100000"),
              expect=[r"random: 100000 calls, 0 wrong", exited(0)])
    vm, trace = watched(run)
    modelled = {int(m[1]): int(m[2]) for line in vm.lines
                if (m := re.fullmatch(r"vector (\d+): (\d+) writes", line))}
    assert len(modelled) == 5 and all(modelled.values())
    fixed = Counter(w.vector for w in icr_writes(trace) if w.mode == FIXED)
    users = {vector: n for vector, n in fixed.items() if vector < VECTOR_KERNEL_FIRST}
    assert users == modelled

    writes = apic_writes(trace)
    last_ring = max(i for i, (register, value) in enumerate(writes)
                    if register == ICR_LOW and value & 0xff < VECTOR_KERNEL_FIRST)
    ticks = [register for register, _ in writes[last_ring:] if register == TIMER_INITIAL]
    assert len(ticks) >= 2, "the boot core's timer is armed again at each of its interrupts"


# ---- what is taken -------------------------------------------------------------------------------


def watch_interrupts(run, machine):
    log_interrupts(run)
    vm = boot(run, machine)
    return vm, interrupts(run.name)


def test_each_core_takes_its_interrupts(machine):
    """unregister_ipi waits for the ring, so nothing folds and each ring is one interrupt."""
    script = " ".join(f"+100 100@{core} -100" for core in (0, 1, 1, 2, 2, 2, 3))
    vm, cores = watch_interrupts(ring_run("int-serial", script), machine)
    assert [core[100] for core in cores] == [1, 2, 3, 1]
    assert received(vm) == {0: 1, 1: 2, 2: 3, 3: 1}


def test_all_and_others_are_taken_once_by_each(machine):
    script = "+100 100@-1 -100 +101 101@-2 -101"
    _, cores = watch_interrupts(ring_run("int-many", script), machine)
    assert [core[100] for core in cores] == [1, 1, 1, 1]
    assert [core[101] for core in cores] == [0, 1, 1, 1]


@pytest.mark.parametrize("smp", ["2", "4", "8"])
def test_folded_rings_add_up(machine, smp):
    """However the hardware folds them: every ring is written about, none twice."""
    cores = int(smp)
    run = ring_run(f"int-folded-{smp}", "+50 50@1x500 50@-1x200 50@-2x200 50@0x50 -50", smp=smp)
    vm, taken = watch_interrupts(run, machine)
    assert not [line for line in vm.lines if "missed" in line]
    expected = {core: 400 for core in range(cores)} | {0: 250, 1: 900}
    assert received(vm) == expected
    lines = Counter(int(m[1]) for line in vm.lines
                    if (m := re.search(r"Received IPI (\d+)", line)))
    for core in range(cores):
        assert lines[core] <= taken[core][50] <= expected[core]


def test_registers_across_interrupts(machine):
    """Timer interrupts and NMIs strike a program that spins in ring 3: it keeps its registers."""
    monitor_path = output_path("registers-nmi", "qmp")
    monitor_path.unlink(missing_ok=True)
    run = Run("registers-nmi", init=("registers",),
              extra=("-qmp", f"unix:{monitor_path},server=on,wait=off"))
    log_interrupts(run)
    vm = machine(config_for(run), run.limit, run.name)
    vm.wait_line("registers: now across interrupts", forbid=run.forbid)
    with contextlib.suppress(ConnectionError):  # it has ended: the lines will tell why
        monitor = Monitor(monitor_path)
        for _ in range(200):
            monitor.execute("inject-nmi")
    vm.wait_line("registers: all kept", forbid=(*run.forbid, "changed$"))
    assert vm.wait_exit() == 0
    in_ring3 = Counter(int(vector, 16) for path in logs_of(run.name)
                       for vector in TAKEN_IN_RING_3.findall(path.read_text(errors="replace")))
    assert in_ring3[NMI] >= 5 and in_ring3[TIMER] >= 1, f"too few to tell: {in_ring3}"


def test_many_rings_add_up_though_the_log_overflows(machine):
    """More lines than the ring holds: what the console missed is said, not made up."""
    vm = boot(ring_run("rings-flood", "+50 50@0x20000 -50", limit=120), machine)
    missed = sum(int(m[1]) for line in vm.lines
                 if (m := re.search(r"\] (\d+) lines missed$", line)))
    assert sum(1 for line in vm.lines if "Received IPI 0" in line) + missed == 20000
