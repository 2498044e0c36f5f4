# SPDX-License-Identifier: MIT
"""The console as a terminal: what is typed at the serial port, and what a program reads of it
(tests/user/tty.c says what it got). The rules of the line itself are tests/host/test_tty_line.c."""

import re

import pytest

import witness
from acpi import lapic, madt, options
from booting import config_for
from runs import Run, exited

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
SERIAL_VECTOR = 239  # the first of the devices', on the boot core
DROPPED = r"tty: typed bytes were dropped: nobody reads them \(said once\)"


def start(machine, run):
    run.init = ("tty",)
    vm = machine(config_for(run), run.limit, run.name)
    vm.wait_line("tty is ready", forbid=run.forbid)
    return vm


def finish(vm, run):
    vm.send("\x04\x04")
    vm.wait_line("got 0: ", forbid=run.forbid)
    vm.wait_line("got 0: ", forbid=run.forbid)
    vm.wait_line(exited(7), forbid=run.forbid)
    assert vm.wait_exit(forbid=run.forbid) == 7


def typed(vm, text, echo, *lines):
    """Type it: the echo ends a line that stands before the lines that the program writes."""
    vm.send(text)
    vm.wait_line(re.escape(echo))
    for line in lines:
        vm.wait_line(re.escape(line))


def edit_lines(vm):
    typed(vm, "hello\r", "hello", "got 6: hello<0a>")
    typed(vm, "abx\x7fc\x08d\r", "abx\b \bc\b \bd", "got 4: abd<0a>")
    typed(vm, "no\x15yes\n", "no\b \b\b \byes", "got 4: yes<0a>")
    typed(vm, "pieces\r", "pieces", "got 7: pieces<0a>")
    typed(vm, "abcdef\r", "abcdef", "got 3: abc", "got 3: def", "got 1: <0a>")
    vm.send("part\x04")
    vm.wait_line("partgot 4: part")  # the end of file echoes nothing
    typed(vm, "junk\x03clean\r", "junk^Cclean", "got 6: clean<0a>")


@pytest.mark.parametrize("smp", ["1", pytest.param("2", marks=pytest.mark.quick), "4"])
def test_lines(smp, machine):
    run = Run(f"tty-lines-{smp}", smp=smp)
    vm = start(machine, run)
    edit_lines(vm)
    typed(vm, "bad address\r", "bad address", "got 12: bad address<0a>")
    typed(vm, "kept\r", "kept", "bad: -14", "got 5: kept<0a>")
    typed(vm, "nonblock\r", "nonblock", "got 9: nonblock<0a>", "got -11: ")
    typed(vm, "ioctl\r", "ioctl", "got 6: ioctl<0a>", "ioctl: 0, 0 0, -25")
    finish(vm, run)


def test_byte_by_byte(machine):
    run = Run("tty-raw")
    vm = start(machine, run)
    typed(vm, "three\r", "three", "got 6: three<0a>", "raw: 0")
    for byte in "x\x03\r":
        vm.send(byte)
    vm.wait_line("got 3: x<03><0d>")
    typed(vm, "soon\r", "soon", "got 5: soon<0a>", "raw: 0", "got 0: ")
    typed(vm, "between\r", "between", "got 8: between<0a>", "raw: 0")
    vm.send("abc")
    vm.wait_line("got [123]: a?b?c?")  # as many as came within 0.2 s of each other
    finish(vm, run)


@pytest.mark.parametrize("smp", ["1", "4"])
def test_echo_does_not_wait_for_a_reader(smp, machine):
    run = Run(f"tty-ahead-{smp}", smp=smp)
    vm = start(machine, run)
    typed(vm, "compute\r", "compute", "got 8: compute<0a>")
    typed(vm, "ahead 1\r", "ahead 1")
    typed(vm, "ahead 2\r", "ahead 2", "computed, 16 bytes wait", "got 8: ahead 1<0a>",
          "got 8: ahead 2<0a>")
    finish(vm, run)


def test_long_lines(machine):
    run = Run("tty-long", limit=120)
    vm = start(machine, run)
    for length in (4000, 4095, 4096, 6000):
        text = (ALPHABET * 240)[:length]
        whole = text[:4095]
        typed(vm, text + "\r", text, f"got {len(whole) + 1}: {whole}<0a>")
    finish(vm, run)


def test_paste(machine):
    """7000 bytes at once, while nobody reads: all of them come."""
    run = Run("tty-paste", limit=120)
    lines = [f"line {n:04}" for n in range(700)]
    vm = start(machine, run)
    typed(vm, "compute\r" + "\r".join(lines) + "\r", "compute")
    for got in ["got 8: compute", *(f"got 10: {line}" for line in lines)]:
        vm.wait_line(f".*{got}<0a>")  # behind the echo of what came meanwhile
    finish(vm, run)


def test_too_much(machine):
    """More than fits while nobody reads: said once, what did fit comes, and it goes on."""
    run = Run("tty-too-much", limit=60)
    vm = start(machine, run)
    typed(vm, "hold\r", "hold", "got 5: hold<0a>", "holding")
    lines = [f"{n:03}".ljust(70, "z") for n in range(200)]
    vm.send("\r".join(lines) + "\r")
    vm.wait_line(DROPPED)
    for line in lines[:(4095 + 4096) // 71]:
        vm.wait_line(f".*got 71: {line}<0a>")
    vm.send("\x15\r")
    vm.send("still here\r")
    vm.wait_line(".*got 11: still here<0a>", forbid=(*run.forbid, DROPPED))
    finish(vm, run)


def test_by_interrupt(machine):
    """QEMU sees the boot core take the serial port's interrupts, and no other core."""
    run = Run("tty-interrupt", smp="2")
    witness.log_interrupts(run)
    vm = start(machine, run)
    edit_lines(vm)
    finish(vm, run)
    taken = [core[SERIAL_VECTOR] for core in witness.interrupts(run.name)]
    assert taken[0] > 10 and sum(taken[1:]) == 0, taken


def test_without_an_io_apic(machine):
    """No interrupt can come: the port is looked at."""
    run = Run("tty-no-io-apic", smp="2", machine="pc,acpi=off")
    run.extra = options(run.name, madt(5, lapic(0), lapic(1)))
    witness.log_interrupts(run)
    vm = start(machine, run)
    assert "serial: no interrupt for COM1: looked at every 1000 us" in vm.output()
    edit_lines(vm)
    finish(vm, run)
    assert all(core[SERIAL_VECTOR] == 0 for core in witness.interrupts(run.name))
