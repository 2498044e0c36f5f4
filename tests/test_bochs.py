# SPDX-License-Identifier: MIT
"""The disc in Bochs: a second emulator, with x2APIC and the TSC-deadline timer, which QEMU lacks.

Bochs counts instructions and is slow; each boot takes some ten seconds.
"""

import shutil
import subprocess

import pytest

import qemu
from bochs import BochsMachine
from machine import iso_for, output_path
from runs import exited, received

pytestmark = pytest.mark.skipif(
    shutil.which("bochs") is None or shutil.which("Xvfb") is None,
    reason="Bochs or Xvfb is not installed: x2APIC is not shown here")

HASWELL = "corei7_haswell_4770"
SANDY_BRIDGE = "corei7_sandy_bridge_2600k"
LIMIT = 240


@pytest.fixture
def bochs(request):
    started = []

    def start(iso, cpus, model=HASWELL):
        started.append(BochsMachine(iso, request.node.name, model, cpus, LIMIT))
        return started[-1]

    yield start
    for one in started:
        one.close()


def expect_demo(vm, apic, cores):
    vm.wait_line(rf"apic: {apic}, boot core has id 0")
    vm.wait_line(rf"smp: {cores} of {cores} cores online.*")
    vm.wait_line(*sorted(received(range(cores))))
    vm.wait_line(exited(0))


@pytest.mark.parametrize("cores", [2, 4])
def test_x2apic(bochs, cores):
    vm = bochs(iso_for("-- demo"), cores)
    expect_demo(vm, r"x2APIC \(the CPU offers it\)", cores)
    assert any("timer by TSC deadline" in line for line in vm.lines)


def test_xapic_by_choice(bochs):
    expect_demo(bochs(iso_for("apic=xapic -- demo"), 2), r"xAPIC \(by apic=\)", 2)


def test_xapic_model(bochs):
    expect_demo(bochs(iso_for("apic=x2apic -- demo"), 2, SANDY_BRIDGE),
                r"xAPIC \(the CPU has no other mode\)", 2)


@pytest.mark.parametrize("words, apic", [
    ("", r"x2APIC \(the firmware's choice\)"),
    ("apic=xapic", r"x2APIC \(the firmware's choice, which apic= cannot undo\)"),
])
def test_x2apic_left_on_by_the_firmware(bochs, words, apic):
    """GRUB plays the firmware: it turns x2APIC on before it starts the kernel."""
    expect_demo(bochs(disc_with_x2apic_on(words), 2), apic, 2)


def disc_with_x2apic_on(words):
    tree = output_path("x2apic-on" + words, "tree") / "boot"
    (tree / "grub").mkdir(parents=True, exist_ok=True)
    shutil.copyfile(qemu.KERNEL, tree / "carillon.elf")
    shutil.copyfile(qemu.INITRD, tree / "initrd.tar")
    (tree / "grub/grub.cfg").write_text(
        "set timeout=0\nwrmsr 0x1b 0xfee00d00\n"  # IA32_APIC_BASE: enabled, EXTD, boot core
        f"multiboot2 /boot/carillon.elf {words} -- demo\nmodule2 /boot/initrd.tar\nboot\n",
        encoding="utf-8")
    disc = output_path("x2apic-on" + words, "iso")
    subprocess.run(["grub-mkrescue", "--install-modules=normal multiboot2 iso9660 part_msdos wrmsr",
                    "--fonts=", "--locales=", "--themes=", "-o", disc, tree.parent],
                   check=True, capture_output=True)
    return disc


def test_x2apic_counts_are_exact(bochs):
    """Every vector on every core, once: the self-test's counts, in x2APIC mode."""
    vm = bochs(iso_for("selftest=ipi-all-vectors"), 4)
    vm.wait_line(r"apic: x2APIC .*")
    vm.wait_line("ok 1 ipi-all-vectors")
    vm.wait_line(r"selftest: exited with status 0")


def test_a_clock_that_is_off_is_noticed(bochs):
    """Here the TSC of one core can be written: the self-test sets it back and looks."""
    vm = bochs(iso_for("selftest=clock-warp"), 4)
    vm.wait_line(r"clock: no warp between the counters of 4 cores, .*")
    vm.wait_line(r"# set back by \d+ ticks, \d+ seen")
    vm.wait_line("ok 1 clock-warp")
    vm.wait_line(r"selftest: exited with status 0")
