# SPDX-License-Identifier: MIT
"""What breaks the kernel, or the machine under it, and what a person reads then."""

import pytest

from booting import boot, config_for
from machine import Monitor, output_path
from runs import Run

STATUS_PANIC = 122
HEX = r"[0-9a-f]+"
REGISTERS = [rf"rip {HEX}  rsp {HEX}  rflags {HEX}", rf"cs {HEX}  ss {HEX}  cr0 {HEX}.*"]
END = "panic: end of report"


def others(*cores):
    """The lines that say where the other cores were."""
    return {rf"core {core} was at 0x{HEX}, in the kernel" for core in cores}


def panic(name, reason, *, stopped=(1, 2, 3), registers=True, **more):
    return Run(f"panic-{name}", cmdline=f"selftest={name}", status=STATUS_PANIC, forbid=(),
               expect=[reason, *(REGISTERS if registers else []),
                       *([others(*stopped)] if stopped else []), END], **more)


PANICS = [
    panic("panic", r"panic: core 0: asked for by selftest=panic", registers=False, quick=True),
    panic("panic-elsewhere", r"panic: core 3: asked for on another core", stopped=(0, 1, 2),
          registers=False),
    panic("null-pointer", rf"panic: core 0: #PF page fault at 0x{HEX}: write to 0x0, no page is "
          r"mapped there"),
    panic("write-text", rf"panic: core 0: #PF page fault at 0x{HEX}: write to 0x{HEX}, the page is "
          r"read-only"),
    panic("stack-overrun", rf"panic: core 0: kernel stack overrun at 0x{HEX}: #DF double fault.*"),
]


@pytest.mark.parametrize("run", [
    pytest.param(run, id=run.name, marks=[pytest.mark.quick] if run.quick else [])
    for run in PANICS])
def test_panic(run, machine):
    vm = boot(run, machine)
    assert sum("panic: core" in line for line in vm.lines) == 1, "the reason stands there once"


def test_panic_without_debugexit_halts(machine):
    run = panic("panic", r"panic: core 0: asked for by selftest=panic", registers=False)
    run.debugexit, run.status = False, "stays"
    boot(run, machine)


def test_machine_check(machine):
    """An uncorrected error, injected by QEMU's monitor while ring 3 runs, is a panic in words."""
    path = output_path("machine-check", "qmp")
    path.unlink(missing_ok=True)
    run = Run("machine-check", init=("spin",), forbid=(),
              extra=("-qmp", f"unix:{path},server=on,wait=off"))
    vm = machine(config_for(run), run.limit, run.name)
    vm.wait_line("spinning")
    # bank 9, valid and uncorrected; processor in machine check, restart not possible
    Monitor(path).execute("human-monitor-command",
                          **{"command-line": "mce 0 9 0xbd00000000000175 0x5 0x12345 0x8c"})
    vm.wait_line(r"panic: core 0: #MC machine check \(abort 18, error code 0x0\) in ring 3 at .*", END)
    assert vm.wait_exit() == STATUS_PANIC


def test_reset(machine):
    """QEMU ends at a reset with status 0 under -no-reboot, and shut_down's lines do not come."""
    run = Run("reset", cmdline="selftest=reset", status=None, debugexit=False,
              forbid=("panic:", "exited with", "power off"), expect=["# resetting"])
    boot(run, machine)


# ---- firmware that errs --------------------------------------------------------------------------


def test_hpet_beyond_the_physical_width(machine, tmp_path):
    """A table with a wild address costs its device, not the boot."""
    table = tmp_path / "hpet"
    address = (0x000f_0000_0000_1000).to_bytes(8, "little")
    table.write_bytes(bytes(4) + bytes([0, 64, 0, 0]) + address + bytes(4))
    boot(Run("hpet-beyond", machine="q35,hpet=off", init=("small",),
             extra=("-acpitable", f"sig=HPET,rev=1,data={table}"),
             expect=[r"clock: TSC at \d+ kHz, by the ACPI PM timer.*",
                     "init: exited with status 0"]), machine)


def test_no_local_apic(machine):
    boot(Run("no-local-apic", smp="1", cpu="max,-apic", forbid=(), status=STATUS_PANIC,
             expect=[r"panic: core 0: this CPU has no Local APIC.*", END]), machine)
