# SPDX-License-Identifier: MIT
"""Which paths of the kernel can wait for a lock, read out of the machine code.

A path is a function and all that it can call. What is called through a pointer is named here, and a
pointer that is not makes the test fail. A panic ends the path.
"""

import functools
import re
import subprocess

import pytest

from qemu import KERNEL

LABEL = re.compile(r"[0-9a-f]+ <(.+)>:")
BRANCH = re.compile(r"\t(?:call|j\w+) +[0-9a-f]+ <([^>+]+)")
INDIRECT = re.compile(r"\t(?:call|jmp) +\*")
LOCK = "spin_lock"  # it waits; spin_trylock does not
# The lock that these take is that of one core's queue, not one that all cores share: they are let
# through, so of them the test says only that they take no other.
# The lock of a serial port is the innermost of all, and held for a few accesses to its registers.
LET_THROUGH = {"uart_lock", "timer_interrupt", "call_function", "call_soft_timers",
               "timer_start_from", "timer_cancel", "take_back", "reschedule_interrupt"}

# The bodies of the Local APIC: xapic.c, its form for self-tests, x2apic.c.
LAPICS = [*(f"{mode}_{verb}" for mode in ("xapic", "x2apic") for verb in ("read", "write", "eoi")),
          *(f"{mode}_{verb}" for mode in ("xapic", "x2apic", "held")
            for verb in ("send", "send_shorthand")), "held_read"]
# Who calls through a pointer, and what that can be.
POINTERS = {
    **{name: LAPICS for name in (
        "arch_ipi_send", "arch_ipi_send_irqs_off", "send_from_nmi", "arch_ipi_send_all", "arch_ipi_send_others",
        "arch_timer_arm", "icr_send_late", "icr_wait", "lapic_eoi")},
    "irq_dispatch": ["message_handler"],  # a user vector's only handler; others are a device's
    "call_answer": [],                    # the function of the call, a path of its own
    "call_function": [],                  # the timer's function, likewise
    "run_for_a_while": [],                # a softirq's function, and
    "leave_to_thread": [],                # ksoftirqd's waking: not in a handler
    "softirq_interrupt": [],
    "nmi_from_outside": ["count_only", "note_rip", "answer_nmi"],  # what self-tests put in its place
    "look_at_core": ["sched_is_idle"],
    "guard": ["sched_is_idle"],
    "watchdog_scan": ["sched_is_idle"],
    "spin_turn": ["answer_while_spinning"],
    "console_write_line": ["serial_write"],
    "console_is_ready": ["serial_is_ready"],
    "vsnprintf": [],                      # its switch
}


@functools.cache
def graph():
    """For each function the functions that it calls or jumps to, and whether by a pointer too."""
    listing = subprocess.run(["objdump", "-d", "--no-show-raw-insn", KERNEL], check=True,
                             capture_output=True, text=True).stdout
    calls, pointers, name = {}, set(), None
    for line in listing.splitlines():
        if match := LABEL.fullmatch(line):
            name = match[1]
            calls[name] = set()
        elif match := BRANCH.search(line):
            calls[name].add(match[1])
        elif INDIRECT.search(line):
            pointers.add(name)
    return calls, pointers


def path_of(root):
    """All functions that `root` can come to."""
    calls, pointers = graph()
    assert root in calls, f"there is no function {root}"
    seen, todo = set(), [root]
    while todo:
        name = todo.pop()
        if name in seen:
            continue
        seen.add(name)
        if name in ("panic", LOCK):
            continue
        todo += calls.get(name, set()) - ({LOCK} if name in LET_THROUGH else set())
        if name in pointers:
            assert name in POINTERS, f"{root}: what does {name} call through its pointer?"
            assert calls.keys() >= set(POINTERS[name]), f"{name}: no function of that name"
            todo += POINTERS[name]
    return seen


PATHS = {
    "ring": ["ipi_send", "ipi_send_mask", "irq_dispatch", "message_handler"],
    "log": ["log_line", "log_text", "log_read", "log_drain"],
    "timer": ["timer_interrupt", "call_soft_timers", "timer_start", "arch_timer_arm", "arch_clock_ns"],
    "softirq": ["softirq_raise", "softirq_interrupt"],
    "reschedule": ["reschedule_interrupt"],
    "call": ["call_on_async", "smp_call_interrupt"],
    "nmi": ["nmi_from_outside", "arch_ask_where", "note_where"],
    "watchdog": ["watchdog_scan", "watchdog_timer_interrupt", "guard"],
}


@pytest.mark.quick
@pytest.mark.parametrize("path", PATHS)
def test_the_path_waits_for_no_lock(path):
    for root in PATHS[path]:
        assert LOCK not in path_of(root), f"{root} can come to {LOCK}"


def test_those_that_do_are_found():
    """The reader would see a lock: these have one."""
    for root in ("page_alloc", "page_free", "heap_free", "ipi_register", "console_release"):
        assert LOCK in path_of(root), root
