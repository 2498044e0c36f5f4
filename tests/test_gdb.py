# SPDX-License-Identifier: MIT
"""What gdb makes of the kernel: the way from an interrupt's handler back to what was interrupted
leads across two stacks, and only stubs_frames.inc can tell gdb how."""

import re
import subprocess

import qemu
from machine import output_path

MACHINE = ("qemu-system-x86_64 -smp 2 -m 128M -cpu max -display none -no-reboot -serial none "
           "-device isa-debug-exit,iobase=0xf4,iosize=0x04 "
           "-append 'debugexit loglevel=0 -- demo' -S -gdb stdio")
SCRIPT = """\
set pagination off
target remote | exec {machine} -kernel {kernel} -initrd {initrd}
hbreak *message_handler
continue
backtrace
continue
backtrace
kill
"""
# The ring to oneself interrupts the system call that rang, on core 0; the next one, core 1 in its
# idle loop.
WAYS = [
    r"#0 .*message_handler.*?irq_dispatch.*?<signal handler called>.*?ring_own.*?stubs\.asm",
    r"#0 .*message_handler.*?irq_dispatch.*?<signal handler called>.*?sched_idle.*?ap_entry",
]


def test_backtrace_across_stacks():
    script = output_path("gdb", "gdb")
    script.write_text(SCRIPT.format(machine=MACHINE, kernel=qemu.KERNEL, initrd=qemu.INITRD),
                      encoding="utf-8")
    ended = subprocess.run(["gdb", "-nx", "-batch", "-x", script, qemu.KERNEL], text=True,
                           capture_output=True, timeout=60, check=False)
    shown = ended.stdout.split("hit Breakpoint")[1:]
    assert len(shown) == 2, ended.stdout + ended.stderr
    for way, backtrace in zip(WAYS, shown):
        assert re.search(way, backtrace, re.DOTALL), backtrace
