# SPDX-License-Identifier: MIT
"""A PC in Bochs, with the words of machine.py."""

import time

from pexpect.popen_spawn import PopenSpawn

import qemu
from machine import Machine, output_path


class BochsMachine(Machine):
    """One Bochs. It has no isa-debug-exit: what the kernel says is all that tells how it ended."""

    def __init__(self, iso, name, model, cpus, limit):
        # not Machine's own: that starts QEMU
        self.name = name
        self.lines = []
        self.limit = limit
        self.deadline = time.monotonic() + limit
        self.log_path = output_path(name, "log")
        self.log = self.log_path.open("w", encoding="utf-8", errors="replace", newline="")
        self.child = PopenSpawn(
            [str(qemu.ROOT / "tools/bochs"), "--iso", str(iso), "--model", model,
             "--cpus", str(cpus)], encoding="utf-8", timeout=None, codec_errors="replace")
        self.child.logfile_read = self.log

    def close(self):
        """End it; it ends Bochs and the virtual screen."""
        process = self.child.proc
        if process.poll() is None:
            process.terminate()
            process.wait()
        process.stdin.close()
        self.log.close()
