# SPDX-License-Identifier: MIT
"""The other end of a machine's network card: a pair of sockets, a datagram a frame.

QEMU reads the socket only while the card takes frames, and a datagram that nobody has read stays in
it, so a sender waits and no frame is lost on the way: what the machine did not get, it dropped.
"""

import random
import re
import select
import shutil
import socket
import tempfile
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HEADER = 14  # two addresses and a type
LONGEST = 1514
SHORTEST_ON_THE_WIRE = 60
MACHINE = bytes.fromhex("525400123456")  # what QEMU gives a card that is not told otherwise
TESTER = bytes.fromhex("5254000000fe")
PROMPT = r"carillon\$ "
QUEUE_LINES = 3  # the command's echo, the heading, a queue
LIMIT = 60  # seconds that a frame may take, on a busy host


class Wire:
    """As a context manager it is taken away at the end."""

    def __init__(self, name="wire"):
        self.name = name
        self.folder = Path(tempfile.mkdtemp(prefix="wire-"))  # a socket's path is 107 bytes at most
        self.card, self.own = self.folder / "card", self.folder / "own"
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(str(self.own))
        self.socket.settimeout(LIMIT)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()
        shutil.rmtree(self.folder)

    def options(self, device):
        """QEMU's options for a card, `e1000` or `e1000e,addr=5`, at the other end."""
        return ["-netdev", f"dgram,id={self.name},local.type=unix,local.path={self.card},"
                f"remote.type=unix,remote.path={self.own}",
                "-device", f"{device},netdev={self.name},id=card-{self.name}"]

    def send(self, frame):
        self.socket.sendto(frame, str(self.card))

    def receive(self):
        return self.socket.recv(1 << 16)


def padded(frame):
    return frame.ljust(SHORTEST_ON_THE_WIRE, b"\0")


def random_frames(count, seed=1, longest=LONGEST):
    """Frames of random contents and of all lengths from 14 bytes on, the same in every run."""
    source = random.Random(seed)
    for _ in range(count):
        length = source.randint(HEADER, longest)
        yield (MACHINE + TESTER + b"\x88\xb5" + source.randbytes(length))[:length]


def echo(wire, frames, window):
    """Send all, at most `window` before their echoes, and hold each echo to its frame.
    Returns: how many."""
    frames = iter(frames)
    under_way, echoed = [], 0
    while True:
        while len(under_way) < window and (frame := next(frames, None)) is not None:
            wire.send(frame)
            under_way.append(padded(frame))
        if not under_way:
            return echoed
        got, wanted = wire.receive(), under_way.pop(0)
        assert got == wanted, f"frame {echoed}: {len(wanted)} bytes came back as {len(got)}"
        echoed += 1


class Flood:
    """Sends as fast as the other end takes it, until it is told to stop, and counts what comes
    back. As a context manager it is stopped at the end."""

    def __init__(self, wire, frame):
        self.wire, self.frame = wire, frame
        self.sent = self.echoed = 0
        self.ending = threading.Event()
        self.done = threading.Event()
        self.pool = ThreadPoolExecutor(2)

    def __enter__(self):
        self.sender = self.pool.submit(self._send)
        self.receiver = self.pool.submit(self._receive)
        return self

    def __exit__(self, *_):
        self.ending.set()
        self.done.set()
        self.pool.shutdown()

    def _send(self):
        while not self.ending.is_set():
            self.wire.send(self.frame)
            self.sent += 1

    def _receive(self):
        """What is there is counted before it is looked whether more is to come."""
        while True:
            done = self.done.is_set()
            while select.select([self.wire.socket], [], [], 0.02)[0]:
                assert self.wire.receive() == self.frame
                self.echoed += 1
            if done:
                return

    def stop(self):
        """Send no more. Returns: how many were sent."""
        self.ending.set()
        self.sender.result()
        return self.sent

    def finish(self):
        """All echoes were sent. Returns: how many came."""
        self.done.set()
        self.receiver.result()
        return self.echoed


# ---- the machine's side ---------------------------------------------------------------------------


def counters(lines):
    """What the lines say as `NAME NUMBER`; of several the last."""
    return {name: int(value) for line in lines
            if (match := re.fullmatch(r"([a-z_]+) (\d+)", line)) for name, value in [match.groups()]}


def ask(vm, command):
    """Type a command at the shell's prompt. Returns: the lines up to the next prompt."""
    begin = len(vm.lines)
    vm.send(command + "\r")
    vm.wait_text(PROMPT)
    return vm.lines[begin:]


def start_echo(vm, count=""):
    """Have echoframes run in the background, and wait until it listens; it writes into a file, so
    that all that the console shows is the shell's."""
    ask(vm, f"echoframes {count} > /echoed &")
    while len(ask(vm, "cat /proc/net/queues")) < QUEUE_LINES:
        pass


def settled(vm, sent):
    """Look at the card's counters until it has got all that was sent, and no frame waits."""
    while True:
        seen = counters(ask(vm, "cat /proc/net/eth0"))
        queues = [line.split() for line in ask(vm, "cat /proc/net/queues")]
        waiting = [int(words[1]) for words in queues if len(words) == 4 and words[0].isdigit()]
        if seen["frames"] + seen["no_room"] == sent and waiting == [0] and \
                seen["sent"] == seen["queued"]:
            return seen
