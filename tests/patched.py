# SPDX-License-Identifier: MIT
"""Copies of the kernel in which one function is made to fail: faults where no self-test gets."""

import re
import struct
import subprocess

from machine import output_path
from qemu import KERNEL

PROLOGUE = bytes.fromhex("55 4889e5")  # push rbp; mov rbp, rsp
UD2 = bytes.fromhex("0f0b")


def addresses():
    listing = subprocess.run(["nm", KERNEL], capture_output=True, text=True, check=True).stdout
    return {name: int(value, 16)
            for value, name in re.findall(r"^([0-9a-f]{16}) \w (\S+)$", listing, re.MULTILINE)}


def file_offset(elf, address):
    """Where the byte at the virtual `address` lies in the file (ELF-64 program headers)."""
    start, = struct.unpack_from("<Q", elf, 32)
    size, count = struct.unpack_from("<HH", elf, 54)
    for i in range(count):
        kind, _, offset, virtual, _, length = struct.unpack_from("<IIQQQQ", elf, start + i * size)
        if kind == 1 and virtual <= address < virtual + length:
            return offset + address - virtual
    raise ValueError(f"{address:#x} is not in the file")


def kernel(name, function, code):
    """A copy of the kernel in which `function` begins with these bytes. Returns: its path."""
    elf = bytearray(KERNEL.read_bytes())
    at = file_offset(elf, addresses()[function])
    elf[at:at + len(code)] = code
    path = output_path(name, "elf")
    path.write_bytes(elf)
    return path


def that_faults(name, function, before=b""):
    """`function` executes the bytes `before` and then an instruction that does not exist."""
    return kernel(name, function, PROLOGUE + before + UD2)


def that_panics(name, function):
    """`function` calls panic(), with the first name of the symbol table as its text."""
    at = addresses()
    code = PROLOGUE + b"\x48\xc7\xc7" + struct.pack("<I", at["symbol_names"] & 0xffffffff)
    code += b"\x31\xc0\xe8"  # mov rdi, text; xor eax, eax; call panic
    return kernel(name, function, code + struct.pack(
        "<i", at["panic"] - (at[function] + len(code) + 4)))


def that_loses_rbp(name, function, value):
    """`function` puts `value` into rbp and faults."""
    return that_faults(name, function, b"\x48\xbd" + struct.pack("<Q", value))
