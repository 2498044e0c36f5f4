# SPDX-License-Identifier: MIT
"""How a row of runs.py is booted and held to what it says."""

import programs
import qemu
import sticks
from machine import iso_for, output_path
from runs import STAYS


NO_INITRD = "none"


def initrd_for(run):
    """The least program comes alone: there may be no room for more."""
    if run.init[:1] == ("small",):
        return programs.initrd_of("small")
    return programs.initrd() if run.init else qemu.INITRD


def config_for(run, initrd=None):
    """The machine of a row; its status is told apart from QEMU's own by the lines it must show."""
    config = qemu.Config(machine=run.machine, smp=run.smp, mem=run.mem, cpu=run.cpu,
                         firmware=run.firmware, extra=list(run.extra))
    initrd = initrd or initrd_for(run)
    if run.boot == "iso":
        config.iso = iso_for(run.command_line(), initrd)
        if run.usb:
            config.usb = run.usb
            config.iso = sticks.written(config.iso, output_path(run.name, "stick"))
    else:
        config.kernel = qemu.KERNEL
        config.initrd = None if initrd == NO_INITRD else initrd
        config.append = run.command_line()
    return config


def boot(run, machine, initrd=None):
    """Boot a row, wait for its lines and its end. Returns: the machine, for a closer look."""
    assert run.expect, "without a line to wait for, QEMU's own failure would look like a success"
    vm = machine(config_for(run, initrd), run.limit, run.name)
    for wanted in run.expect:
        vm.wait_line(*([wanted] if isinstance(wanted, str) else sorted(wanted)), forbid=run.forbid)
    if run.status == STAYS:
        return vm
    status = vm.wait_exit(forbid=run.forbid)
    if status != run.status:
        vm.fail(f"expected status {run.status}, got {status}")
    return vm
