#!/usr/bin/python3
# SPDX-License-Identifier: MIT
"""QEMU's command line, in one place for `make run`, `make gdb` and the tests.

As a program it prints the command line that its options describe.
"""

import argparse
import os
import re
import shlex
import shutil
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / os.environ.get("BUILD", "build")  # build/debug under DEBUG=1
KERNEL = BUILD / "carillon.elf"
INITRD = BUILD / "initrd.tar"
DEBUG_KERNEL = ROOT / "build/debug/carillon.elf"

OVMF = Path("/usr/share/OVMF")
OVMF_CODE = OVMF / "OVMF_CODE_4M.fd"
OVMF_VARS = OVMF / "OVMF_VARS_4M.fd"

CARDS = ("e1000", "e1000e")  # that the kernel has a driver for, by QEMU's names

# What the kernel writes to isa-debug-exit under `debugexit`; QEMU's status is twice that plus one.
STATUS_SIGNAL = 121
STATUS_PANIC = 122

POWERED_OFF = re.compile(r"^power off$", re.MULTILINE)
INIT_ENDED = re.compile(
    r"^(?:init|selftest): (?:exited with status (\d+)|killed by signal (\d+))$", re.MULTILINE)


class QemuError(Exception):
    """The machine asked for cannot be built; the text says why."""


@dataclass
class Config:
    """A machine and what it boots: an ISO, or kernel and initrd by PVH."""

    qemu: str = "qemu-system-x86_64"
    machine: str = "q35"
    accel: str = "tcg"
    smp: str = "4"
    mem: str = "256M"
    cpu: str = "max"
    firmware: str = "bios"
    iso: Path = None
    usb: str = ""  # "ehci" or "xhci": the ISO is a USB stick on such a controller, and no CD
    kernel: Path = None
    initrd: Path = None
    append: str = ""
    net: str = "none"  # or the model of a card, at QEMU's user network
    screen: str = "none"  # as QEMU's -display takes it
    serial: tuple = ("-serial", "stdio", "-monitor", "none")
    extra: list = field(default_factory=list)


def option_value(path):
    """A path as a value among QEMU's options, where a comma ends it unless it is doubled."""
    return str(path).replace(",", ",,")


def firmware_options(config, scratch):
    """OVMF writes to its variables, so each run gets a copy of its own in `scratch`."""
    if config.firmware == "bios":
        return []
    if config.firmware != "uefi":
        raise QemuError(f"FIRMWARE is bios or uefi, not '{config.firmware}'")
    if not OVMF_CODE.exists():
        raise QemuError(f"no {OVMF_CODE}; 'make deps' installs it")
    scratch.mkdir(parents=True, exist_ok=True)
    variables = scratch / "ovmf_vars.fd"
    shutil.copyfile(OVMF_VARS, variables)
    return ["-drive", f"if=pflash,format=raw,unit=0,readonly=on,file={OVMF_CODE}",
            "-drive", f"if=pflash,format=raw,unit=1,file={option_value(variables)}"]


def stick_options(config):
    """A USB stick holding the disc's image, and the controller that it hangs on."""
    controllers = {"ehci": "usb-ehci", "xhci": "qemu-xhci"}
    if config.usb not in controllers:
        raise QemuError(f"a USB stick is on ehci or xhci, not '{config.usb}'")
    return ["-device", f"{controllers[config.usb]},id=usb",
            "-drive", f"if=none,id=stick,format=raw,file={option_value(config.iso)}",
            "-device", "usb-storage,bus=usb.0,drive=stick,removable=on,bootindex=0"]


def network_options(config):
    """A card at QEMU's user network, in which 10.0.2.2 answers and nothing reaches the host's."""
    if config.net == "none":
        return ["-net", "none"]
    if config.net not in CARDS:
        raise QemuError(f"NET is none, {' or '.join(CARDS)}, not '{config.net}'")
    return ["-netdev", "user,id=net", "-device", f"{config.net},netdev=net"]


def boot_options(config):
    if (config.iso is None) == (config.kernel is None):
        raise QemuError("a machine boots either an ISO or a kernel")
    if config.usb and config.iso is None:
        raise QemuError("a USB stick holds an ISO, not a kernel")
    if config.usb:
        return stick_options(config)
    if config.iso is not None:
        return ["-boot", "d", "-cdrom", str(config.iso)]
    if config.firmware != "bios":
        raise QemuError("a kernel is booted directly on a BIOS machine only")
    options = ["-kernel", str(config.kernel), "-append", config.append]
    return options + (["-initrd", str(config.initrd)] if config.initrd else [])


def refuse_nothing(config):
    """QEMU takes 0 cores and no memory for its defaults, with a warning at most."""
    if re.search(r"(^|[,=])0+(,|$)", str(config.smp)):
        raise QemuError(f"SMP counts cores, from 1: '{config.smp}' is none")
    if re.fullmatch(r"0+\w?", config.mem):
        raise QemuError(f"MEM is an amount of memory such as 256M, not '{config.mem}'")


def command(config, scratch):
    """The command as a list; `scratch` is a directory of this run alone."""
    refuse_nothing(config)
    return [config.qemu, "-machine", config.machine, "-accel", config.accel, "-cpu", config.cpu,
            "-smp", str(config.smp), "-m", config.mem,
            *firmware_options(config, Path(scratch)),
            "-display", config.screen, "-vga", "std", *network_options(config), "-no-reboot",
            *config.serial,
            "-device", "isa-debug-exit,iobase=0xf4,iosize=0x04",
            *boot_options(config), *config.extra]


def trouble(error):
    """What to say when QEMU cannot be described or started: a QemuError or an OSError."""
    if isinstance(error, QemuError):
        return str(error)
    return f"{error.filename}: {error.strerror}"


def decode(qemu_status):
    """What the kernel wrote to isa-debug-exit, or None if QEMU ended in another way."""
    return qemu_status >> 1 if qemu_status >= 0 and qemu_status & 1 else None


def from_environment(environment, **more):
    """The machine that the Makefile's variables describe."""
    names = {"qemu": "QEMU", "machine": "MACHINE", "smp": "SMP", "mem": "MEM", "cpu": "CPU",
             "firmware": "FIRMWARE", "net": "NET", "screen": "SCREEN"}
    given = {key: environment[name] for key, name in names.items() if environment.get(name)}
    return Config(**{**given, **more})


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    defaults = Config()
    for name in ("qemu", "machine", "smp", "mem", "cpu", "firmware", "net", "screen", "append"):
        parser.add_argument(f"--{name}", default=getattr(defaults, name))
    parser.add_argument("--iso", type=Path)
    parser.add_argument("--kernel", type=Path)
    parser.add_argument("--initrd", type=Path)
    parser.add_argument("--scratch", type=Path, default=BUILD / "run")
    parser.add_argument("extra", nargs="*", help="more options for QEMU, after --")
    options = vars(parser.parse_args())
    scratch = options.pop("scratch")
    try:
        print(shlex.join(command(Config(**options), scratch)))
    except QemuError as error:
        sys.exit(f"qemu.py: {error}")


if __name__ == "__main__":
    main()
