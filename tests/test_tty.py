# SPDX-License-Identifier: MIT
"""Terminals: what is typed at a serial port, and what a program reads of it (tests/user/tty.c says
what it got); and two ports at once. The rules of the line itself are tests/host/test_tty_line.c."""

import random
import re
import socket
import threading
import time

import pytest

import witness
from acpi import lapic, madt, options
from booting import config_for
from machine import output_path, text_of_line
from runs import PANIC, Run, exited

ALPHABET = "abcdefghijklmnopqrstuvwxyz"
DEVICE_VECTORS = range(239, 249)
FIFO = 16  # bytes that a UART takes at a time
LOST = r"typed bytes were (dropped|lost)"


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


def test_too_much(machine):
    """More than fits while nobody reads: the rest waits in the port, and none is lost."""
    run = Run("tty-too-much", limit=60, forbid=(PANIC, LOST))
    vm = start(machine, run)
    typed(vm, "hold\r", "hold", "got 5: hold<0a>", "holding")
    lines = [f"{n:03}".ljust(70, "z") for n in range(200)]
    vm.send("\r".join(lines) + "\r")
    vm.wait_line(".*released", forbid=run.forbid)
    for line in lines:
        vm.wait_line(f".*got 71: {line}<0a>", forbid=run.forbid)
    vm.send("still here\r")
    vm.wait_line(".*got 11: still here<0a>", forbid=run.forbid)
    finish(vm, run)


def sum_of(data):
    """As the program sums up what it got: FNV-1a."""
    total = 0xcbf29ce484222325
    for byte in data:
        total = (total ^ byte) * 0x100000001b3 & 0xffffffffffffffff
    return f"{total >> 32:x} {total & 0xffffffff:x}"


def test_paste_64k(machine):
    """64 KiB at once, as lines with their echo and byte by byte: every byte comes, in its place."""
    run = Run("tty-paste-64k", smp="2", limit=120, forbid=(PANIC, LOST))
    source = random.Random(64)
    lines = "".join("".join(source.choices(ALPHABET, k=63)) + "\n" for _ in range(1024))
    raw = bytes(source.choices(range(128), k=65536))
    vm = start(machine, run)
    typed(vm, "paste\r", "paste", "got 6: paste<0a>")
    vm.send(lines)
    vm.wait_line(rf"(.*[a-z])?pasted 65536, sum {sum_of(lines.encode())}", forbid=run.forbid)
    typed(vm, "raw paste\r", "raw paste", "got 10: raw paste<0a>", "raw: 0")
    vm.send(raw.decode())
    vm.wait_line(f"pasted 65536, sum {sum_of(raw)}", "cooked", forbid=run.forbid)
    finish(vm, run)


def test_by_interrupt(machine):
    """QEMU sees the cores take the serial port's interrupts: for what is typed, and for what is
    written, a FIFO's worth each."""
    run = Run("tty-interrupt", smp="2")
    witness.log_interrupts(run)
    vm = start(machine, run)
    edit_lines(vm)
    typed(vm, "print\r", "print", "got 6: print<0a>")
    vm.send("after\r")
    vm.wait_line(".*got 6: after<0a>")
    finish(vm, run)
    taken = [sum(core[vector] for vector in DEVICE_VECTORS)
             for core in witness.interrupts(run.name)]
    written = 100 * 81  # by `print`
    typing = 100  # at most: more bytes than were typed, and several may share an interrupt
    # one serves as many bursts as the device takes while it lasts, 16 at most
    assert written / FIFO / 16 < sum(taken) < typing + 2 * written / FIFO, taken


def test_without_an_io_apic(machine):
    """No interrupt can come: the port is looked at."""
    run = Run("tty-no-io-apic", smp="2", machine="pc,acpi=off")
    run.extra = options(run.name, madt(5, lapic(0), lapic(1)))
    witness.log_interrupts(run)
    vm = start(machine, run)
    assert "serial: no interrupt for COM1: looked at every 1000 us" in vm.output()
    edit_lines(vm)
    finish(vm, run)
    assert not any(any(core[vector] for vector in DEVICE_VECTORS) for core in witness.interrupts(run.name))


# ---- two ports -----------------------------------------------------------------------------------


class Second:
    """The second serial port of a machine, which does not run before somebody is connected. What it
    sends is read all the time: a UART whose other side does not read stops."""

    def __init__(self, run):
        self.path = output_path(run.name, "port")
        self.path.unlink(missing_ok=True)
        run.extra = (*run.extra, "-chardev", f"socket,id=two,path={self.path},server=on,wait=on",
                     "-serial", "chardev:two")
        self.text, self.ended = "", False
        self.news = threading.Condition()

    def connect(self, vm):
        self.deadline = vm.deadline
        self.socket = socket.socket(socket.AF_UNIX)
        while True:
            try:
                self.socket.connect(str(self.path))
                break
            except (FileNotFoundError, ConnectionRefusedError):
                assert time.monotonic() < self.deadline, "QEMU does not listen"
                time.sleep(0.02)
        threading.Thread(target=self.read, daemon=True).start()
        return self

    def read(self):
        with output_path(self.path.stem, "second.log").open("wb") as log:
            while not self.ended:
                data = self.socket.recv(4096)
                log.write(data)
                with self.news:
                    self.text += data.decode(errors="replace")
                    self.ended = not data
                    self.news.notify()

    def send(self, text):
        self.socket.sendall(text.encode())

    def wait_text(self, pattern):
        """Returns: what came up to the text, and with it, as lines."""
        with self.news:
            while not (match := re.search(pattern, self.text)):
                assert not self.ended, f"ended before '{pattern}' came"
                left = self.deadline - time.monotonic()
                assert self.news.wait(max(left, 0)), f"waited for '{pattern}': {self.text}"
            seen, self.text = self.text[:match.end()], self.text[match.end():]
        return text_of_line(seen).split("\n")


PROMPT = r"carillon\$ "


def two_ports(machine, run):
    second = Second(run)
    vm = machine(config_for(run), run.limit, run.name)
    return vm, second.connect(vm)


def test_two_terminals(machine):
    """Each has its shell, its line and its modes; what is typed at one never comes to the other."""
    run = Run("tty-two", smp="2")
    vm, second = two_ports(machine, run)
    assert second.wait_text(PROMPT) == ["This is a small shell at /dev/ttyS1.", "carillon$ "]
    vm.wait_text(PROMPT)

    second.send("echo ome")  # half a line
    second.wait_text("echo ome")
    vm.send("echo first > /dev/tty; echo to the other > /dev/ttyS1\r")
    assert "first" in vm.wait_text(PROMPT).string[:-len("carillon$ ")].replace("\r", "").split("\n")
    second.send("ga\r")  # the other half is where it was
    assert second.wait_text(PROMPT) == ["to the other", "ga", "omega", "carillon$ "]

    second.send("puta\r")  # putc: to the program's own terminal
    assert second.wait_text(PROMPT) == ["puta", "Acarillon$ "]
    second.send("\x04")  # another shell comes
    assert "This is a small shell at /dev/ttyS1." in second.wait_text(PROMPT)

    vm.send("\x04")
    vm.wait_line(exited(0), forbid=run.forbid)
    assert second.wait_text("init: .*\n")[-2] == "init: exited with status 0"
    assert vm.wait_exit() == 0
    assert not any(text in vm.output() for text in ("omega", "to the other\n", "puta"))


def test_consoles_of_the_command_line(machine):
    """Log lines to all that are named, programs to the last; a name that is not there is said."""
    run = Run("tty-console-words", smp="2", args=("demo",),
              cmdline="console=ttyS0 console=tty9 console=ttyS1,57600")
    vm, second = two_ports(machine, run)
    seen = second.wait_text("init: .*\n")
    vm.wait_line("parameters: bad value in console=tty9: passed over", r"Received IPI 1.*", exited(0))
    assert vm.wait_exit() == 0
    for line in ("smp: 2 of 2 cores online", "Received IPI 1", "demo: vector 100 is irq",
                 "init: exited with status 0"):
        assert any(line in text for text in seen), line
        assert ("demo" in line) != (line in vm.output()), line


def test_a_panic_goes_to_all(machine):
    """Also to a port that gets no log."""
    run = Run("tty-panic", smp="2", cmdline="init=/nothing console=ttyS1")
    vm, second = two_ports(machine, run)
    vm.wait_line(r"panic: core \d+: no init: /nothing could not be started", "panic: end of report")
    assert vm.wait_exit() == 122
    assert "smp: " not in vm.output()
    assert any("smp: 2 of 2" in line for line in second.wait_text("panic: end of report"))
