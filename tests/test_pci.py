# SPDX-License-Identifier: MIT
"""PCI on whole machines: what is behind a bridge, and where lines arrive with each firmware.

QEMU's trace of writes to configuration space is the witness for what the kernel must never do to a
device. The tests with cards that interrupt are the kernel's own (src/drivers/pci_selftest.c).
"""

import re

import pytest

from booting import boot
from machine import output_path
from runs import Run

COMMAND, BAR0, BARS_END, DECODING, ALL_ONES = 0x04, 0x10, 0x28, 0x3, 0xffffffff
WRITE = re.compile(r"pci_cfg_write \S+ (\w\w:\w\w\.\w) @(0x\w+) <- (0x\w+)")
PASSED = ["ok 1 pci-shared-line", "selftest: exited with status 0"]


def interrupts(slot, gsi, source):
    return (rf"pci: {slot}: interrupts by INTA#, at gsi {gsi}: the {source} and the line register "
            r"agree")


def shared_line(name, cards, expect, **more):
    devices = [word for card in cards for word in ("-device", card)]
    return Run(name, smp="2", cmdline="loglevel=7 selftest=pci-shared-line",
               extra=("-nic", "none", *devices, *more.pop("extra", ())), expect=expect, **more)


def writes_to_space(path):
    """(device, register, value) of each write to configuration space that the trace has."""
    found = WRITE.findall(path.read_text(errors="replace"))
    return [(device, int(register, 16), int(value, 16)) for device, register, value in found]


def test_behind_a_bridge(machine):
    """A card behind a bridge shares a line with one beside the bridge, as the bridge turns its pin;
    no BAR is sized while its device decodes, and none is left changed."""
    trace = output_path("pci-bridge", "trace")
    run = shared_line(
        "pci-bridge", ["edu,addr=7", "pci-bridge,id=b,chassis_nr=1,addr=4", "edu,bus=b,addr=3"], [
            "pci: 00:04.0: 1b36:0001, class 060400, PCI bridge",
            "pci: 01:03.0: 1234:11e8, class 00ff00, device", "pci: 8 devices on 2 buses",
            interrupts("00:07.0", 11, "MP table"),
            interrupts("01:03.0", 11, "PIIX's routing registers"), *PASSED],
        machine="pc", extra=("-trace", "pci_cfg_write", "-D", str(trace)))
    boot(run, machine)

    # the firmware writes first: it sizes BARs before it lets a device decode
    decodes, served, sized, bars = {}, set(), set(), {}
    for device, register, value in writes_to_space(trace):
        if register == COMMAND:
            decodes[device] = value & DECODING != 0
            served |= {device} if decodes[device] else set()
        elif BAR0 <= register < BARS_END:
            bars[device, register] = value
            if value == ALL_ONES:
                assert not decodes.get(device), f"{device} decodes while it is sized"
                sized |= {device} & served
    cards = {"00:07.0", "01:03.0"}
    assert sized >= cards
    assert ALL_ONES not in {bars[card, BAR0] for card in cards}


@pytest.mark.soak
@pytest.mark.parametrize("kind, slots, gsi, source", [
    ("pc", (5, 9), 10, "PIIX's routing registers"),
    ("q35", (0x19, 0x1b), 16, "ICH9's routing registers")])
def test_lines_without_mp_table(kind, slots, gsi, source, machine):
    """OVMF has no MP table: the chipset's registers say where lines arrive, if they know."""
    boot(shared_line(f"pci-uefi-{kind}", [f"edu,addr={slot:#x}" for slot in slots],
                     [*(interrupts(f"00:{slot:02x}.0", gsi, source) for slot in slots), *PASSED],
                     machine=kind, boot="iso", firmware="uefi", limit=120), machine)


@pytest.mark.soak
def test_a_line_that_nobody_knows_is_refused(machine):
    boot(shared_line("pci-uefi-refused", ["edu,addr=5", "edu,addr=9"], [
        r"pci: 00:05\.0: cannot interrupt: .*; INTx: no MP table names its pin, and no register of "
        r"the chipset's does", r"ok 1 pci-shared-line # SKIP .*"],
        boot="iso", firmware="uefi", limit=120), machine)
