# SPDX-License-Identifier: MIT
"""A shell (user/sh.c) at whose prompt a test types."""

from machine import STAMP, without_stamp
from runs import PANIC

PROMPT = r"carillon\$ "


def behind_echo(typed, lines):
    """The lines behind the echo of what was typed, in which lines of the log may stand."""
    rest = typed
    for at, line in enumerate(lines):
        if rest and not STAMP.match(line):
            assert rest.startswith(line), f"typed '{typed}', no echo in {lines}"
            rest = rest[len(line):]
        if not rest:
            return lines[at + 1:]
    raise AssertionError(f"typed '{typed}', no whole echo in {lines}")


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
        return behind_echo(line, self.vm.lines[before:])

    def last_of_log(self):
        """What `dmesg | tail -1` shows."""
        return without_stamp(self.lines_after("dmesg | tail -1")[-1])

    def end(self, keys):
        self.vm.send(keys)
        return self.vm.wait_exit(forbid=(PANIC,))
