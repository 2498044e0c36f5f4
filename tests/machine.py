# SPDX-License-Identifier: MIT
"""A PC in QEMU that a test talks to over the serial port.

A test waits for lines, never for a time. Whatever it waits for, the machine's limit ends the wait:
the test then fails with the machine's last output. All output is kept in build/test/NAME.log
(build/debug/test under DEBUG=1).
"""

import hashlib
import json
import os
import re
import shutil
import socket
import subprocess
import time
from pathlib import Path

import pexpect
from pexpect.popen_spawn import PopenSpawn

import qemu

# Where several processes share the tests (tools/test) each has a place of its own.
OUTPUT = qemu.BUILD / "test" / os.environ.get("PYTEST_XDIST_WORKER", "")
LOG_TAIL = 60  # lines shown when a test fails

# The firmware's and the boot loader's terminal control; a kernel line may follow it directly.
TERMINAL_CONTROL = re.compile(r"\x1b(?:\[[0-9;?=]*[A-Za-z]|[()][A-Z0-9]|[78=>c])")
STAMP = re.compile(r"\[ *\d+\.\d{6}\] ")


class MachineError(AssertionError):
    """The machine did not do what the test waited for; the text has its last output."""


def iso_for(cmdline, initrd=qemu.INITRD):
    """The shipped disc with another command line; made once, and again when its parts change."""
    digest = hashlib.sha256(f"{initrd}\n{cmdline}".encode()).hexdigest()[:16]
    iso = OUTPUT / "iso" / f"{digest}.iso"
    parts = [qemu.KERNEL, initrd, qemu.ROOT / "iso/grub.cfg.in", qemu.ROOT / "tools/mkiso"]
    if not iso.exists() or any(part.stat().st_mtime >= iso.stat().st_mtime for part in parts):
        subprocess.run([qemu.ROOT / "tools/mkiso", "--output", iso, "--cmdline", cmdline,
                        "--initrd", initrd], check=True)
    return iso


def grub_iso(name, cmdline, initrd):
    """A disc whose command line is as long as one likes, which tools/mkiso forbids."""
    tree = output_path(name, "tree") / "boot"
    (tree / "grub").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(qemu.KERNEL, tree / "carillon.elf")
    shutil.copyfile(initrd, tree / "initrd.tar")
    (tree / "grub/grub.cfg").write_text(
        f"set timeout=0\nmultiboot2 /boot/carillon.elf {cmdline}\nmodule2 /boot/initrd.tar\nboot\n",
        encoding="utf-8")
    disc = output_path(name, "iso")
    subprocess.run(["grub-mkrescue", "--install-modules=normal multiboot2 iso9660 part_msdos",
                    "--fonts=", "--locales=", "--themes=", "-o", disc, tree.parent],
                   check=True, capture_output=True)
    return disc


def output_path(name, suffix):
    """Where a file of the test `name` is kept."""
    OUTPUT.mkdir(parents=True, exist_ok=True)
    return OUTPUT / f"{re.sub(r'[^A-Za-z0-9_.-]+', '_', name)}.{suffix}"


def text_of_line(raw):
    """A line as a terminal would show it."""
    return TERMINAL_CONTROL.sub("", raw).replace("\r", "").replace("\0", "")


def without_stamp(line):
    return STAMP.sub("", line, count=1) if STAMP.match(line) else line


class Monitor:
    """QEMU's machine protocol, for what comes to the machine from outside."""

    def __init__(self, path):
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(30)
        self.socket.connect(str(path))
        self.replies = self.socket.makefile(encoding="utf-8")
        self.replies.readline()  # the greeting
        self.execute("qmp_capabilities")

    @classmethod
    def of(cls, path, limit=30):
        """Connect as soon as QEMU, just started, listens at `path`."""
        deadline = time.monotonic() + limit
        while True:
            try:
                return cls(path)
            except (FileNotFoundError, ConnectionRefusedError):
                if time.monotonic() > deadline:
                    raise
                time.sleep(0.02)

    def wait_event(self, name):
        """Wait for an event that has not been passed over. Returns: its data."""
        while line := self.replies.readline():
            reply = json.loads(line)
            if reply.get("event") == name:
                return reply.get("data", {})
        raise ConnectionError(f"QEMU has ended without the event {name}")

    def execute(self, command, **arguments):
        """Returns: what the command returns. Events that come in between are passed over."""
        request = {"execute": command, "arguments": arguments}
        self.socket.sendall(json.dumps(request).encode() + b"\n")
        while line := self.replies.readline():
            reply = json.loads(line)
            if "error" in reply:
                raise MachineError(f"{command}: {reply['error']['desc']}")
            if "return" in reply:
                return reply["return"]
        raise ConnectionError("QEMU has ended")


class Machine:
    """One QEMU, from its start to its end; as a context manager it is closed at the end."""

    def __init__(self, config, name, limit=120):
        """Start it. `limit` seconds later it is ended, whatever it does."""
        self.name = name
        self.lines = []
        self.limit = limit
        self.deadline = time.monotonic() + limit
        self.log_path = output_path(name, "log")
        self.log = self.log_path.open("w", encoding="utf-8", errors="replace", newline="")
        command = qemu.command(config, output_path(name, "scratch"))
        self.child = PopenSpawn(command, encoding="utf-8", timeout=None, codec_errors="replace")
        self.child.logfile_read = self.log

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def output(self):
        """All complete lines so far, as text."""
        return "\n".join(self.lines)

    def fail(self, why):
        self.log.flush()
        rest = text_of_line(self.child.before) if isinstance(self.child.before, str) else ""
        tail = "\n".join([*self.lines, rest][-LOG_TAIL:])
        raise MachineError(f"{self.name}: {why}\n--- the end of {self.log_path}\n{tail}\n---")

    def _expect(self, pattern, timeout, what):
        """pexpect's expect, in words. Returns: False at the end of the output."""
        left = self.deadline - time.monotonic()
        wait = left if timeout is None else min(timeout, left)
        found = self.child.expect([pattern, pexpect.EOF, pexpect.TIMEOUT], timeout=max(wait, 0))
        if found == 2:
            limit = f"until its limit of {self.limit} s" if wait == left else f"{wait} s"
            self.fail(f"waited {limit} for {what}")
        return found == 0

    def next_line(self, timeout=None, what="a line"):
        """The next complete line, or None at the end of the output."""
        if self._expect("\n", timeout, what):
            self.lines.append(text_of_line(self.child.before))
            return self.lines[-1]
        if self.child.before:
            self.lines.append(text_of_line(self.child.before))
            self.child.before = ""
            return self.lines[-1]
        return None

    def wait_line(self, *patterns, timeout=None, forbid=()):
        """Wait for a whole line for each pattern, in any order; a log line's stamp does not count.

        Returns the match objects in the patterns' order. Fails on a line that contains one of
        `forbid`, at the end of the output, and after `timeout` seconds without any line.
        """
        found = {}
        while len(found) < len(patterns):
            missing = [p for p in patterns if p not in found]
            what = "the line " + ", ".join(f"'{p}'" for p in missing)
            line = self.next_line(timeout, what)
            if line is None:
                self.fail(f"ended before {what} came")
            self.check_forbidden(line, forbid)
            for pattern in missing:
                match = re.fullmatch(pattern, line) or re.fullmatch(pattern, without_stamp(line))
                if match:
                    found[pattern] = match
                    break
        return [found[p] for p in patterns]

    def check_forbidden(self, line, forbid):
        for pattern in forbid:
            if re.search(pattern, line):
                self.fail(f"said what it must not say: {line}")

    def wait_text(self, pattern, timeout=None):
        """Wait for text that no newline follows, such as a prompt. Returns the match."""
        if not self._expect(pattern, timeout, f"the text '{pattern}'"):
            self.fail(f"ended before the text '{pattern}' came")
        seen = self.child.before.split("\n")
        self.lines.extend(text_of_line(line) for line in seen[:-1])
        return self.child.match

    def send(self, text):
        """Type `text` at the serial console."""
        self.child.send(text)

    def wait_exit(self, forbid=()):
        """Wait for QEMU's end. Returns what the kernel wrote to isa-debug-exit, or None."""
        while (line := self.next_line(what="its end")) is not None:
            self.check_forbidden(line, forbid)
        status = self.child.proc.wait()
        if status < 0:
            self.fail(f"QEMU was killed by signal {-status}")
        return qemu.decode(status)

    def close(self):
        """End QEMU, this one alone, if it still runs."""
        process = self.child.proc
        if process.poll() is None:
            process.kill()
            process.wait()
        process.stdin.close()
        self.log.close()
