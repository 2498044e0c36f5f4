# SPDX-License-Identifier: MIT
"""Ethernet frames through the whole way: the card, its interrupts and polls, the processes' queues,
rcv_frame, snd_frame and the programs of user/. The other end is wire.py, which the kernel does not
control."""

import re
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from itertools import islice, takewhile

import pytest

import programs
from booting import config_for
from machine import Monitor, output_path
from runs import Run, exited
from test_proc import DEVICE_VECTORS, device_counts, parse_table
from wire import (HEADER, PROMPT, SHORTEST_ON_THE_WIRE, Flood, Wire, ask, counters, echo,
                  random_frames, settled, start_echo)
from witness import interrupts, log_interrupts

CARDS = [("pc", "e1000"), ("q35", "e1000e"), ("pc", "e1000-82545em")]
REQUESTS = 5  # that tests/user/frame_calls.c makes
ANSWERS = 10  # of the shell, under load
CORES = 4
MOVES = 100
LAST_CORE = 2
SERIAL_IRQ = 4
WINDOW = 32  # frames under way: fewer than a process's queue holds


def shell(start, name, line, extra, **more):
    """A machine whose shell runs a line, and then it ends."""
    run = Run(name, cmdline=f'init=/bin/sh -- -c "{line}"', extra=tuple(extra), **more)
    return start(config_for(run), run.limit, run.name)


def soak(count):
    return pytest.param(count, marks=pytest.mark.soak)


def wrong_sums():
    """IPv4 packets with a wrong checksum: in their own header, in UDP's, and in TCP's, which is an
    acknowledgment."""
    for protocol, header, inner in ((17, b"\xde\xad", b""), (17, b"", b"\xbe\xef"), (6, b"", b"")):
        packet = (b"\x45\x00\x00\x2e" + bytes(4) + b"\x40" + bytes([protocol]) +
                  (header or bytes(2)) + b"\x0a\x00\x02\x02\x0a\x00\x02\x0f")
        if not header:
            words = sum(int.from_bytes(packet[i:i + 2], "big") for i in range(0, len(packet), 2))
            total = ~(words + (words >> 16)) & 0xffff
            packet = packet[:10] + total.to_bytes(2, "big") + packet[12:]
        rest = b"\x00\x07\x00\x07\x00\x1a" + (inner or b"\x12\x34") + b"\x50" * 18
        yield b"\x52\x54\x00\x12\x34\x56" * 2 + b"\x08\x00" + packet + rest


@pytest.mark.parametrize("machine_type, card", [("pc", "e1000"), ("q35", "e1000e")])
def test_what_is_in_a_frame_is_the_programs_to_judge(machine_type, card, machine):
    """The card drops no frame for a checksum of IP, UDP or TCP, nor does one interrupt as if its
    link had changed: with MSI-X, a TCP acknowledgment would."""
    frames = list(wrong_sums())
    with Wire() as wire:
        vm = shell(machine, f"frames-sums-{card}", "cat /proc/interrupts; "
                   f"echoframes {len(frames)}; cat /proc/net/eth0 /proc/interrupts",
                   wire.options(card), machine=machine_type)
        vm.wait_line("echoframes: ready")
        assert echo(wire, frames, 1) == len(frames)
        vm.wait_line(exited(0))
    assert counters(vm.lines)["bad"] == 0
    if card == "e1000e":
        before, after = (line.split() for line in vm.lines if re.search(r"^ *\d+:.* eth0$", line))
        assert before == after


@pytest.mark.parametrize("count", [1000, soak(100000)])
@pytest.mark.parametrize("machine_type, card", CARDS)
def test_frames_come_back(machine_type, card, count, machine):
    """Frames of all lengths, runts and giants among them, byte for byte and in order. The card pads
    what is too short; what is too long is dropped and counted, and hurts nothing."""
    runts = [bytes([n]) * n for n in range(1, HEADER)]
    giants = [b"\xee" * n for n in (1515, 1518, 1519, 1522, 1523, 2048, 4096, 9000, 16000)]
    with Wire() as wire:
        vm = shell(machine, f"frames-{card}-{count}",
                   f"echoframes {count + len(runts)}; cat /proc/net/eth0", wire.options(card),
                   machine=machine_type, limit=60 + count // 50)
        vm.wait_line("echoframes: ready")
        for giant in giants:
            wire.send(giant)
        assert echo(wire, runts, 1) == len(runts)
        assert echo(wire, random_frames(count), WINDOW) == count
        vm.wait_line(f"echoframes: {count + len(runts)} frames echoed, 0 not sent", exited(0))
    seen = counters(vm.lines)
    assert seen["giants"] == len(giants)
    assert seen["frames"] == seen["queued"] == seen["sent"] == count + len(runts)
    short = len(runts) + sum(len(frame) < SHORTEST_ON_THE_WIRE for frame in random_frames(count))
    assert seen["undersized"] in (0, short)  # QEMU's e1000 keeps no such count
    assert not any(seen[name] for name in ("overflowed", "runts", "bad", "no_room", "unheard"))


# ---- the calls ------------------------------------------------------------------------------------


def test_calls(machine):
    """Results and errors of rcv_frame and snd_frame (tests/user/frame_calls.c)."""
    with Wire() as wire:
        run = Run("frame-calls", init=("frame_calls",), extra=tuple(wire.options("e1000e")))
        vm = machine(config_for(run, programs.initrd_of("frame_calls")), run.limit, run.name)
        vm.wait_line(r"eth0: link up, 1000 Mbit/s", forbid=run.forbid)
        for _ in range(REQUESTS):
            request = wire.receive()
            length = int.from_bytes(request[15:17], "big")
            for number in range(request[14]):
                wire.send((request[:14] + bytes(3) + bytes([number]) + bytes(range(18, 256)) * 7)[:length])
        vm.wait_line(r"frame_calls: \d{3} cases, 0 failed", r"frame_calls: \d cases, 0 failed",
                     exited(0), forbid=run.forbid)


def test_calls_without_a_card(machine):
    """Arguments are looked at first; then it is said that there is no card."""
    line = "ping 10.0.2.2; arping 10.0.2.2; frames; echoframes; cat /proc/net/queues"
    vm = shell(machine, "frames-no-card", line, [])
    vm.wait_exit()
    said = [line for line in vm.lines if "no network card" in line or "pid" in line]
    assert said == ["ping: /proc/net/eth0: there is no network card",
                    "arping: /proc/net/eth0: there is no network card",
                    "frames: there is no network card", "echoframes: there is no network card",
                    "pid waiting taken dropped"]


# ---- under load ----------------------------------------------------------------------------------


@pytest.mark.parametrize("machine_type, card, smp", [("pc", "e1000", 1), ("q35", "e1000e", 4)])
def test_a_flood_starves_nobody(machine_type, card, smp, machine):
    """While frames come as fast as the card takes them, the shell answers: the sender goes on until
    it has. What was not echoed was dropped, and both sides count the same."""
    frame = next(random_frames(1, seed=2))
    with Wire() as wire:
        run = Run(f"flood-{card}", cmdline="init=/bin/sh", machine=machine_type, smp=str(smp),
                  extra=tuple(wire.options(card)))
        vm = machine(config_for(run), run.limit, run.name)
        vm.wait_text(PROMPT)
        start_echo(vm)
        with Flood(wire, frame) as flood:
            while counters(ask(vm, "cat /proc/net/eth0"))["full_polls"] == 0 or flood.echoed == 0:
                pass  # it has begun: the poll used up its budget, and frames come back
            for number in range(ANSWERS):
                assert f"still here {number}" in ask(vm, f"echo still here {number}")
            sent = flood.stop()
            seen = settled(vm, sent)
            echoed = flood.finish()
        assert sent == echoed + seen["overflowed"] + seen["no_room"]
        assert seen["polls"] > seen["interrupts"]
        vm.send("poweroff\r")
        assert vm.wait_exit(forbid=run.forbid) == 0


# ---- from core to core ---------------------------------------------------------------------------


def receiving_irq(lines):
    """(irq, counts by core) of the row in /proc/interrupts that the first card's frames come by."""
    words = next(words for words in map(str.split, lines) if words[-1:] in (["eth0"], ["eth0-rx"]))
    return words[0][:-1], list(map(int, words[1:1 + CORES]))


def move(vm, irq, mask):
    lines = ask(vm, f"echo {mask} > /proc/irq/{irq}/smp_affinity")
    assert not any("echo:" in line for line in lines), lines


@pytest.mark.parametrize("machine_type, card", CARDS)
def test_a_card_whose_interrupts_move(machine_type, card, machine):
    """Each frame is awaited before the next is sent, so an interrupt that is lost on the way from
    core to core leaves one without its echo. At last all come to core 2, says the kernel, and so
    does QEMU."""
    frames = random_frames(1 << 62)
    with Wire() as wire, ThreadPoolExecutor(1) as pool:
        run = Run(f"frames-moves-{card}", cmdline="init=/bin/sh", machine=machine_type,
                  smp=str(CORES), extra=tuple(wire.options(card)))
        log_interrupts(run)
        vm = machine(config_for(run), run.limit, run.name)
        vm.wait_text(PROMPT)
        start_echo(vm)
        move(vm, SERIAL_IRQ, 1)
        irq, _ = receiving_irq(ask(vm, "cat /proc/interrupts"))
        moving = threading.Event()
        load = pool.submit(echo, wire, takewhile(lambda _: not moving.is_set(), frames), 1)
        try:
            for i in range(MOVES):
                move(vm, irq, 1 << i % CORES)
        finally:
            moving.set()
        assert load.result() >= MOVES // 2

        move(vm, irq, 1 << LAST_CORE)
        _, before = receiving_irq(ask(vm, "cat /proc/interrupts"))
        assert echo(wire, islice(frames, MOVES), 1) == MOVES
        table = ask(vm, "cat /proc/interrupts")
        _, after = receiving_irq(table)
        came = [after[core] - before[core] for core in range(CORES)]
        assert came[LAST_CORE] >= MOVES
        assert not any(came[core] for core in range(CORES) if core != LAST_CORE)
        vm.send("poweroff\r")
        assert vm.wait_exit(forbid=run.forbid) == 0
    counted = device_counts(parse_table(table[1:]))
    taken = [sum(log[vector] for vector in DEVICE_VECTORS) for log in interrupts(run.name)]
    assert taken[1:] == counted[1:]  # core 0 has the serial port's, which went on


# ---- lines, links, the world outside -------------------------------------------------------------


def test_two_cards_on_a_line(machine):
    """Slots 4 and 8 of a PC have one line: each card gets its frames, and one that loses its link
    says so. Programs speak by the first; with its link down nothing can be sent."""
    path = output_path("frames-line", "qmp")
    path.unlink(missing_ok=True)
    with Wire("a") as a, Wire("b") as b:
        run = Run("frames-line", cmdline="init=/bin/sh", machine="pc", extra=(
            *a.options("e1000,addr=4"), *b.options("e1000,addr=8,mac=52:54:00:12:34:57"),
            "-qmp", f"unix:{path},server=on,wait=off"))
        vm = machine(config_for(run), run.limit, run.name)
        vm.wait_text(PROMPT)
        monitor = Monitor.of(path)
        start_echo(vm, 50)
        for frame in random_frames(30):
            b.send(frame)
        assert echo(a, random_frames(50), 8) == 50
        while "echoframes: 50 frames echoed, 0 not sent" not in ask(vm, "cat /echoed"):
            pass
        while (seen := counters(ask(vm, "cat /proc/net/eth1")))["frames"] < 30:
            pass
        assert (seen["frames"], seen["unheard"], seen["sent"]) == (30, 30, 0)
        assert counters(ask(vm, "cat /proc/net/eth0"))["frames"] == 50
        shared = [line for line in ask(vm, "cat /proc/interrupts") if "eth0" in line]
        assert len(shared) == 1 and re.search(r"\beth0, eth1\b", shared[0])

        monitor.execute("set_link", name="card-a", up=False)
        vm.wait_line("eth0: link down")
        assert "10.0.2.2: I/O error" in ask(vm, "arping 10.0.2.2")
        monitor.execute("set_link", name="card-a", up=True)
        vm.wait_line("eth0: link up, 1000 Mbit/s")
        start_echo(vm, 5)
        assert echo(a, random_frames(5), 1) == 5
        vm.send("poweroff\r")
        assert vm.wait_exit(forbid=run.forbid) == 0


def test_more_cards_than_vectors(machine):
    """One core has ten vectors for devices. Cards that find three have them; one that finds fewer makes do
    with one; without any it is refused in words. All that came up get their frames."""
    cards = [f"52:54:00:12:34:{0x56 + i:x}" for i in range(6)]
    with ExitStack() as stack:
        wires = [stack.enter_context(Wire(f"w{i}")) for i in range(len(cards))]
        extra = [word for wire, mac in zip(wires, cards) for word in
                 wire.options(f"{'e1000' if mac == cards[0] else 'e1000e'},mac={mac}")]
        run = Run("frames-vectors", cmdline="init=/bin/sh", smp="1", machine="pc",
                  extra=tuple(extra))
        vm = machine(config_for(run), run.limit, run.name)
        vm.wait_text(PROMPT)
        said = [line for line in vm.lines if ": e1000: " in line]
        assert len(said) == len(cards)
        names = {mac: name for line in said
                 for name, mac in re.findall(r"(eth\d) is an \S+, address (\S+)", line)}
        refused = [line for line in said if "it cannot interrupt: the card is left alone" in line]
        assert len(names) + len(refused) == len(cards) and len(names) >= 2 and refused
        for mac, wire in zip(cards, wires):
            for frame in random_frames(5) if mac in names else ():
                wire.send(frame)
        for name in names.values():
            while counters(ask(vm, f"cat /proc/net/{name}"))["frames"] < 5:
                pass
        vm.send("poweroff\r")
        assert vm.wait_exit(forbid=run.forbid) == 0


def test_ping(machine):
    """QEMU's user network has hosts of its own, which answer without any network outside."""
    capture = output_path("frames-ping", "pcap")
    capture.unlink(missing_ok=True)
    vm = shell(machine, "frames-ping", "arping 10.0.2.2; ping -c 2 10.0.2.2; "
               "arping 10.0.2.2 > /proc/uptime; ping -c 1 -w 50 10.0.2.77",
               ["-netdev", "user,id=net,restrict=on", "-device", "e1000e,netdev=net",
                "-object", f"filter-dump,id=dump,netdev=net,file={capture}"])
    vm.wait_line(r"10.0.2.2 is at 52:55:0a:00:02:02, \d+ us",
                 r"64 bytes from 10.0.2.2: seq=1 time=.* ms",
                 r"64 bytes from 10.0.2.2: seq=2 time=.* ms", "10.0.2.2: 2 sent, 2 answered",
                 "arping: I/O error",  # its answer could not be written
                 "ping: 10.0.2.77: nobody there answers ARP", exited(1))
    vm.wait_exit()
    assert capture.read_bytes().count(bytes.fromhex("0800") + b"\x45\x00\x00\x54") == 4
