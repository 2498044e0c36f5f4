# SPDX-License-Identifier: MIT
"""Everything at once: a level line that a device will not let go, NMIs to every core from a timer
(one a millisecond, as far as the emulator keeps up), frames as fast as the card takes them, and
rings from every core to every other. Frames come by QEMU's sockets, and are counted there; of NMIs
the kernel's count is all there is."""

import re
import socket
import time
from contextlib import ExitStack

import pytest

import programs
import qemu
from booting import config_for
from machine import output_path
from runs import PANIC, Run
from wire import PROMPT, Flood, Wire, ask, counters, random_frames, settled, start_echo

CORES = 4
FORBID = (PANIC, "watchdog:", "missed", r"\blost\b")
SWITCHED_OFF = r"irq (\d+): nobody cared for \d+ of the last 100000 interrupts: it is switched off"

# A PC's slots 4 and 8 have one line, 6 and 10 another. In the second of each pair is a card of which
# the kernel knows nothing (QEMU, "EDU device"), so the line has the first one's handler alone.
LINES = ((4, 8), (6, 10))
LINE_FRAMES = 20  # that the first one gets before
EDU_RAISE = 0x60
PCI_ADDRESS, PCI_DATA, PCI_COMMAND, PCI_BAR0 = 0xcf8, 0xcfc, 0x04, 0x10
COMMAND_MEMORY = 1 << 1  # and nothing else: with its INTx on

# IA-PC HPET Specification 1.0a, "Timer N FSB Interrupt Route Register": a timer may write a message
# where others have a line; Intel SDM vol 3A, "Message Signalled Interrupts": to all cores, an NMI.
HPET, HPET_CONFIG, HPET_TIMER = 0xfed00000, 0x10, 0x140  # its last timer of three
HPET_ON, HPET_NS = 1, 10
TIMER_CONFIG, TIMER_COMPARATOR, TIMER_MESSAGE, TIMER_ADDRESS = 0x00, 0x08, 0x10, 0x14
TIMER_ASKS, TIMER_PERIODIC, TIMER_SET, TIMER_BY_MESSAGE = 1 << 2, 1 << 3, 1 << 6, 1 << 14
MESSAGE_NMI, TO_ALL_CORES = 0x400, 0xfee00000 | 0xff << 12
NMI_EVERY_NS = 1000000


class Qtest:
    """Reads and writes ports and memory from outside (QEMU, "QTest Device Emulation Testing
    Framework")."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.connect(str(path))
        self.replies = self.socket.makefile(encoding="ascii")

    def ask(self, command):
        self.socket.sendall(command.encode() + b"\n")
        words = self.replies.readline().split()
        assert words[:1] == ["OK"], f"{command}: {words}"
        return int(words[1], 16) if len(words) > 1 else None

    def config(self, slot, register):
        self.ask(f"outl {PCI_ADDRESS:#x} {1 << 31 | slot << 11 | register:#x}")
        return self.ask(f"inl {PCI_DATA:#x}")

    def assert_line(self, slot):
        """Have the edu card there ask for ever, though the kernel has told it not to."""
        registers = self.config(slot, PCI_BAR0) & ~0xf
        self.config(slot, PCI_COMMAND)
        self.ask(f"outw {PCI_DATA:#x} {COMMAND_MEMORY:#x}")
        self.ask(f"writel {registers + EDU_RAISE:#x} 1")

    def hpet(self, register, value):
        self.ask(f"writel {HPET + register:#x} {value:#x}")

    def start_nmis(self):
        """From now on each core gets one each NMI_EVERY_NS of its clock."""
        self.hpet(HPET_TIMER + TIMER_MESSAGE, MESSAGE_NMI)
        self.hpet(HPET_TIMER + TIMER_ADDRESS, TO_ALL_CORES)
        self.hpet(HPET_TIMER + TIMER_CONFIG, TIMER_PERIODIC | TIMER_SET | TIMER_BY_MESSAGE | TIMER_ASKS)
        self.hpet(HPET_TIMER + TIMER_COMPARATOR, NMI_EVERY_NS // HPET_NS)
        self.hpet(HPET_CONFIG, HPET_ON)

    def stop_nmis(self):
        self.hpet(HPET_TIMER + TIMER_CONFIG, 0)


def storm_initrd():
    shipped = ("sh", "cat", "echo", "echoframes", "dmesg")
    return programs.save("storm", programs.archive(
        *(programs.file(f"bin/{name}", (qemu.BUILD / "user" / name).read_bytes())
          for name in shipped),
        *(programs.file(f"bin/{name}", programs.data_of(name)) for name in ("rings", "ringer"))))


def row(lines, name):
    """The counts of a row of /proc/interrupts, by core."""
    line = next(line for line in lines if line.strip().startswith(f"{name}:"))
    return [int(word) for word in line.split()[1:1 + CORES]]


class Storm:
    """A machine with all that comes at it. eth0 has messages of its own and is echoed; each card
    behind it has a line, which it shares."""

    def __init__(self, machine, stack, name, limit):
        qtest = output_path(name, "qtest")
        qtest.unlink(missing_ok=True)
        self.wires = [stack.enter_context(Wire(f"w{i}")) for i in range(1 + len(LINES))]
        lines = [word for wire, (slot, stuck) in zip(self.wires[1:], LINES) for word in (
            *wire.options(f"e1000,addr={slot:x}"), "-device", f"edu,addr={stuck:x}")]
        run = Run(name, cmdline="init=/bin/sh loglevel=4", machine="pc", limit=limit, extra=(
            *self.wires[0].options("e1000e,addr=3"), *lines,
            "-global", "hpet.msi=on",
            "-qtest", f"unix:{qtest},server=on,wait=off", "-qtest-log", "none"))
        self.vm = machine(config_for(run, storm_initrd()), run.limit, run.name)
        self.vm.wait_text(PROMPT)
        self.qtest = Qtest(qtest)
        self.answers = 0

    def ask(self, command):
        """The shell answers."""
        self.answers += 1
        said = f"still here {self.answers}"
        lines = ask(self.vm, f"echo {said}; {command}")
        assert said in lines
        return lines

    def nmis(self):
        """How many the core has taken that took the fewest."""
        return min(row(self.ask("cat /proc/interrupts"), "NMI"))

    def echoed(self):
        return counters(self.ask("cat /proc/net/eth0"))["sent"]

    def assert_line(self, number):
        """Its card gets frames; then the other one never lets go: the line is switched off, and
        that is said."""
        for frame in random_frames(LINE_FRAMES):
            self.wires[number].send(frame)
        while (seen := counters(self.ask(f"cat /proc/net/eth{number}")))["frames"] < LINE_FRAMES:
            pass
        assert seen["frames"] == seen["unheard"] == LINE_FRAMES
        self.qtest.assert_line(LINES[number - 1][1])
        while sum(bool(re.search(SWITCHED_OFF, line)) for line in self.vm.lines) < number:
            self.ask("echo")

    def go_on(self, nmis, frames, until):
        """Until as many more have come to each core, and been echoed, and until that time."""
        nmis, frames = self.nmis() + nmis, self.echoed() + frames
        while self.nmis() < nmis or self.echoed() < frames or time.monotonic() < until:
            pass

    def finish_rings(self):
        ask(self.vm, "echo enough > /stop")
        while not (said := [line for line in ask(self.vm, "cat /rings") if "rings:" in line]):
            pass
        rounds, wrong = map(int, re.fullmatch(r"rings: (\d+) rounds, (\d+) wrong", said[0]).groups())
        assert rounds > 0 and wrong == 0


@pytest.mark.parametrize("lines, nmis, frames, rings, seconds", [
    (1, 100, 500, 2000, 0), pytest.param(2, 1000, 10000, 20000, 60, marks=pytest.mark.soak)])
def test_storm(lines, nmis, frames, rings, seconds, machine):
    """The shell answers all the while; every ring is taken, every frame echoed or its drop counted;
    a line that nobody cares for is switched off in words, and all else goes on."""
    with ExitStack() as stack:
        storm = Storm(machine, stack, f"storm-{seconds}", limit=60 + 10 * seconds)
        vm = storm.vm
        start_echo(vm)
        ask(vm, f"rings {rings} /stop > /rings &")
        flood = stack.enter_context(Flood(storm.wires[0], next(random_frames(1, seed=3))))
        storm.qtest.start_nmis()
        begin = time.monotonic()
        for number in range(1, lines + 1):
            storm.assert_line(number)
            storm.go_on(nmis, frames, begin + seconds * number / lines)
        storm.finish_rings()
        storm.qtest.stop_nmis()
        struck = storm.nmis()
        sent = flood.stop()
        seen = settled(vm, sent)
        assert sent == flood.finish() + seen["overflowed"] + seen["no_room"]
        lines = [*vm.lines, *ask(vm, "dmesg")]
        assert not [line for line in lines if re.search("|".join(FORBID), line)]
        vm.send("poweroff\r")
        assert vm.wait_exit(forbid=FORBID) == 0
    print(f"{storm.answers} answers, {struck} NMIs to each core, {sent} frames, "
          f"{time.monotonic() - begin:.1f} s")
