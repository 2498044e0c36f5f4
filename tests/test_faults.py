# SPDX-License-Identifier: MIT
"""Programs that do what they must not: the program ends, in words, and the kernel goes on.

tests/user/fault.asm has the cases; its symbol CASE.at is where the CPU is to report the fault.
"""

import re
from dataclasses import dataclass

import pytest

import programs
from booting import boot
from runs import Run

ILL, TRAP, FPE, SEGV = 4, 5, 8, 11
NAMES = {ILL: "SIGILL", TRAP: "SIGTRAP", FPE: "SIGFPE", SEGV: "SIGSEGV"}
EXIT_CAME_BACK = 77

KERNEL = 0xffffffff80200000
NON_CANONICAL = 0x8000000000000000


@dataclass
class Fault:
    signal: int
    mnemonic: str
    at: object = None  # a symbol, an address, or None: the case's own `.at`
    access: str = ""  # for a page fault: what was done, to what address or symbol, and why not
    address: object = 0
    why: str = ""


def page_fault(access, address, why="no page is mapped there", at=None):
    return Fault(SEGV, "#PF", at, access, address, why)


def general(at=None):
    return Fault(SEGV, "#GP", at)


READ_ONLY, NOT_EXECUTABLE = "the page is read-only", "the page is not executable"
KERNELS = "it belongs to the kernel"

CASES = {
    "divide_by_zero": Fault(FPE, "#DE"),
    "divide_overflow": Fault(FPE, "#DE"),
    "x87_unmasked": Fault(FPE, "#MF"),
    "unaligned_sse": general(),
    "breakpoint": Fault(TRAP, "#BP"),
    "breakpoint_long": Fault(TRAP, "#BP"),
    "single_step": Fault(TRAP, "#DB"),
    "single_step_over_gate": Fault(TRAP, "#DB"),
    "single_step_over_syscall": Fault(TRAP, "#DB"),
    "undefined": Fault(ILL, "#UD"),
    "invalid_in_64_bit": Fault(ILL, "#UD"),
    "sysenter_instruction": Fault(ILL, "#UD"),  # an AMD CPU's answer; Intel's is #GP
    **{name: general() for name in (
        "halt", "disable_interrupts", "enable_interrupts", "port_in", "port_out", "port_string",
        "read_cr0", "write_cr3", "write_cr4", "read_dr7", "write_dr7", "load_gdt", "load_idt",
        "load_task", "load_ldt", "store_gdt", "store_idt", "store_ldt", "store_task",
        "store_machine_word", "read_msr", "write_msr", "swap_gs", "clear_task_switched",
        "invalidate_page", "invalidate_caches", "read_counter")},
    **{f"int_{n}": general() for n in (0, 1, 2, 4, 8, 13, 14, 18, 32, 66, 100, 127, 129, 239, 251,
                                       254, 255)},
    **{name: general() for name in (
        "far_jump_to_bad_selector", "far_jump_to_kernel_code", "far_return_to_kernel_code",
        "interrupt_return_to_kernel_code", "bad_stack_segment", "null_stack_segment",
        "kernel_stack_segment", "bad_data_segment", "kernel_gs_segment")},
    "read_null": page_fault("read of", 0),
    "call_null": page_fault("execution of", 0, at=0),
    "write_code": page_fault("write to", "_start", READ_ONLY),
    "write_constant": page_fault("write to", "one", READ_ONLY),
    "execute_stack": page_fault("execution of", None, NOT_EXECUTABLE, at=None),
    "execute_data": page_fault("execution of", "data", NOT_EXECUTABLE, at="data"),
    "stack_overrun": page_fault("write to", None, "the guard below the stack: the stack has overrun"),
    "read_kernel": page_fault("read of", KERNEL, KERNELS),
    "write_kernel": page_fault("write to", KERNEL, KERNELS),
    "jump_to_kernel": page_fault("execution of", KERNEL, KERNELS, at=KERNEL),
    "read_non_canonical": general(),
    # QEMU notices at the target; hardware, and for the push with #SS, at the instruction
    "jump_to_non_canonical": general(at=NON_CANONICAL),
    "return_to_non_canonical": general(at=NON_CANONICAL),
    "push_to_non_canonical": general(),
    "read_last_page": page_fault("read of", 0x7ffffffffff8, KERNELS),
    "jump_to_last_page": page_fault("execution of", 0x7ffffffffffe, KERNELS, at=0x7ffffffffffe),
    "fault_without_stack": Fault(ILL, "#UD"),
}
# QEMU's TCG knows neither alignment checks (EFLAGS.AC) nor SIMD floating-point exceptions.
COMES_BACK = ["unaligned_with_ac", "sse_unmasked"]
# QEMU reads the stack of these with the kernel's rights, which SMAP then forbids.
WITHOUT_SMAP = {"far_return_to_kernel_code", "interrupt_return_to_kernel_code"}
QUICK = {"divide_by_zero", "halt", "write_code", "jump_to_kernel", "read_non_canonical", "int_66"}


def test_every_case_is_expected():
    """None is forgotten: fault.asm's cases are those named here."""
    names = programs.symbols("fault")
    written = {name.removesuffix(".at") for name in names if name.endswith(".at")}
    without_at = {"call_null", "execute_stack", "execute_data", "jump_to_kernel",
                  "jump_to_last_page"}
    assert written | without_at == CASES.keys() | set(COMES_BACK)


def hexadecimal(place):
    """A pattern for an address: a number, a symbol of fault.asm, or None for any."""
    if place is None:
        return "0x[0-9a-f]+"
    address = programs.symbols("fault")[place] if isinstance(place, str) else place
    return f"{address:#x}" if address else "(?:0x)?0"


def line_about(case, fault):
    """What the kernel's log says: the program, the signal, the exception, where, and what."""
    own = f"{case}.at" if f"{case}.at" in programs.symbols("fault") else None
    at = hexadecimal(fault.at if fault.at is not None else own)
    text = (rf"fault\[1\]: killed by {NAMES[fault.signal]} on core \d+: "
            rf"{fault.mnemonic} [^:]* at rip {at}")
    if fault.access:
        return rf"{text}: {fault.access} {hexadecimal(fault.address)}, {fault.why}"
    return text + r"(?:: error code 0x[0-9a-f]+)?"


def fault_run(case, **more):
    fault = CASES[case]
    cpu = "max,-smap" if case in WITHOUT_SMAP else "max"
    return Run(f"fault-{case}", smp="2", cpu=cpu, init=("fault", case), status=121, expect=[
        line_about(case, fault), f"init: killed by signal {fault.signal}"], **more)


@pytest.mark.parametrize("case", [
    pytest.param(case, marks=[pytest.mark.quick] if case in QUICK else []) for case in CASES])
def test_fault(case, machine):
    vm = boot(fault_run(case), machine)
    last = [line for line in vm.lines if line][-1]
    assert re.fullmatch(r"init: killed by signal \d+", last), "nothing comes after the last line"


@pytest.mark.parametrize("case", ["divide_by_zero", "stack_overrun"])
def test_power_off_after_a_fault(case, machine):
    run = fault_run(case, debugexit=False)
    run.name, run.status = f"{run.name}-s5", None
    boot(run, machine)


def test_memory_runs_out(machine):
    """A program that touches all that it was given: only it suffers, and the log says why."""
    boot(Run("fault-hungry", smp="2", mem="256M", init=("hungry",), status=121, expect=[
        r"hungry\[1\]: killed by SIGKILL on core \d+: #PF page fault at rip 0x[0-9a-f]+: "
        r"write to 0x[0-9a-f]+, memory ran out", "init: killed by signal 9"]), machine)


@pytest.mark.parametrize("case", COMES_BACK)
def test_no_fault_in_this_emulator(case, machine):
    boot(Run(f"fault-{case}", smp="2", init=("fault", case), status=EXIT_CAME_BACK,
             expect=[f"init: exited with status {EXIT_CAME_BACK}"]), machine)
