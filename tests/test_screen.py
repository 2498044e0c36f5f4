# SPDX-License-Identifier: MIT
"""What somebody sees who sits in front of the machine, and types: read from outside, from the VGA's
memory and from the pixels of a screendump."""

import re
from functools import partial

import pytest

import qemu
from machine import STAMP, Monitor, iso_for, output_path
from screens import pixel_text, press, text_mode, type_keys, wait_shown

PROMPT = "carillon$"  # and a blank
DATE = "2031-05-06T07:08:09"


def machine_with_monitor(machine, name, config, limit):
    qmp = output_path(name, "qmp")
    config.extra = [*config.extra, "-qmp", f"unix:{qmp},server=on,wait=off"]
    vm = machine(config, limit=limit)
    return vm, Monitor.of(qmp)


def without_stamps(lines):
    return [STAMP.sub("", line, count=1) for line in lines]


def test_keyboard_and_screen(machine):
    """A line that is typed at the keyboard does at the screen what it says, and the serial port's
    terminal hears nothing of it; the programs keys and rtc show what the devices say."""
    name = "keyboard-and-screen"
    config = qemu.Config(kernel=qemu.KERNEL, initrd=qemu.INITRD, smp="2",
                         append="debugexit console=tty0 console=ttyS0",
                         extra=["-rtc", f"base={DATE}"])
    vm, monitor = machine_with_monitor(machine, name, config, 60)
    screen = partial(text_mode, monitor, name)
    date, = vm.wait_line(r"rtc: (2031-05-06 07:0[89]:\d\d) UTC")
    vm.wait_text(re.escape(PROMPT))
    lines = wait_shown(vm, screen, r"This is a small shell at /dev/tty0\.", re.escape(PROMPT))
    assert any("memory: total" in line for line in lines)  # the log is there as well

    type_keys(monitor, "echo Typed > /typed\nkeys\n")
    wait_shown(vm, screen, re.escape(PROMPT) + " echo Typed > /typed",
               rf"({re.escape(PROMPT)} )?Scan codes .*")  # its command was typed ahead
    for key in ("a", "up", "esc"):
        press(monitor, key)
    lines = wait_shown(vm, screen, "81 released", re.escape(PROMPT))
    at = lines.index("1e pressed")
    assert lines[at:at + 7] == ["1e pressed", "9e released", "e0 48 pressed", "e0 c8 released",
                                "01 pressed", "81 released", PROMPT]

    vm.send("cat /typed\nrtc 64 1\n")
    vm.wait_line("Typed")
    shown, = vm.wait_line(r"(?:carillon\$ )?(2031-05-06 07:\d\d:\d\d) UTC")
    assert date[1] <= shown[1]
    count, ms, reads = map(int, vm.wait_line(
        r"64 Hz: (\d+) interrupts in 1\.(\d{3}) s, (\d+) reads")[0].groups())
    assert 32 <= count <= 64 * (1000 + ms) // 1000 + 2 and 1 <= reads <= count
    type_keys(monitor, "ls /typed\n")
    wait_shown(vm, screen, "/typed")
    assert not any("ls /typed" in line for line in vm.lines)  # what is typed here stays here
    monitor.execute("quit")


@pytest.mark.parametrize("firmware, limit", [
    ("bios", 60), pytest.param("uefi", 120, marks=pytest.mark.soak)])
def test_panic_on_pixels(machine, firmware, limit):
    """The screen shows the boot's log and the report of a panic that came in an NMI, the same lines
    as the serial port."""
    name = f"panic-on-pixels-{firmware}"
    config = qemu.Config(iso=iso_for("selftest=panic-nmi"), firmware=firmware, smp="2")
    vm, monitor = machine_with_monitor(machine, name, config, limit)
    vm.wait_line(r"panic: end of report")
    lines = wait_shown(vm, partial(pixel_text, monitor, name), r".*panic: end of report")
    end = max(i for i, line in enumerate(lines) if line.endswith("panic: end of report"))
    begin = next(i for i, line in enumerate(lines) if "cpu: " in line or "apic: " in line)
    seen = lines[begin:end + 1]
    sent = [line.rstrip() for line in vm.lines]
    assert seen == sent[sent.index(seen[0]):]
    assert any(re.fullmatch(r"panic: core 1: asked for in an NMI", line)
               for line in without_stamps(seen))
    monitor.execute("quit")
