# SPDX-License-Identifier: MIT
"""A shell (user/sh.c) at whose prompt a test types."""

from machine import STAMP, without_stamp
from runs import PANIC

PROMPT = r"carillon\$ "


class Prompt:
    """A shell that somebody types at."""

    def __init__(self, vm):
        self.vm = vm
        vm.wait_text(PROMPT)

    def type(self, line):
        """Returns: what programs print before the next prompt. Lines of the log may come between."""
        lines = self.lines_after(line)
        return [line for line in lines if not STAMP.match(line)]

    def lines_after(self, line):
        """Returns: the lines behind the echo of the typed one, up to the next prompt."""
        before = len(self.vm.lines)
        self.vm.send(f"{line}\r")
        self.vm.wait_text(PROMPT)
        lines = self.vm.lines[before:]
        assert line in lines, f"typed '{line}', no echo in {lines}"
        return lines[lines.index(line) + 1:]

    def last_of_log(self):
        """What `dmesg | tail -1` shows."""
        return without_stamp(self.lines_after("dmesg | tail -1")[-1])

    def end(self, keys):
        self.vm.send(keys)
        return self.vm.wait_exit(forbid=(PANIC,))
