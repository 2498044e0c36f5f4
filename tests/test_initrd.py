# SPDX-License-Identifier: MIT
"""Damaged archives and first programs that are none.

Whatever comes is said in a line, and the kernel goes on with what it could read, or it panics in
words. The archives are PVH's initrd; one goes through the disc, GRUB being the other loader.
"""

import struct

import pytest

import programs
from booting import NO_INITRD, boot
from machine import STAMP
from programs import archive, directory, file, save, symlink
from qemu import STATUS_PANIC
from runs import Run, exited

NO_INIT = r"panic: core 0: no init: /init could not be started"
BLOCK = 512


def padded(data):
    return data + bytes(-len(data) % BLOCK)


def small():
    return programs.data_of("small")


def two_files():
    """An archive whose second entry begins at offset second()."""
    return archive(file("init", small()), file("second", b"2" * 2000))


def second():
    return BLOCK + len(padded(small()))


def run_with(data, name, machine, *expect, status=0, **more):
    run = Run(name, smp="2", status=status, expect=list(expect), **more)
    return boot(run, machine, initrd=programs.save(name, data))


# ---- archives ------------------------------------------------------------------------------------

# Where the damage is behind the first file, which is init: what came before it is used.
BEHIND_INIT = {
    "cut-in-header": ("cut short", lambda: two_files()[:second() + 100]),
    "cut-in-data": ("cut short", lambda: two_files()[:second() + BLOCK + 700]),
    "cut-between": ("cut short", lambda: two_files()[:second()]),
    "wrong-checksum": ("bad checksum", lambda: two_files()[:second()] + b"Z"
                       + two_files()[second() + 1:]),
    "garbage-behind": ("bad checksum", lambda: two_files()[:second()] + bytes(range(1, 256)) * 20),
    "lone-zeros": ("lone block of zeros", lambda: two_files()[:second()] + bytes(BLOCK)
                   + two_files()[second():]),
}


@pytest.mark.parametrize("case", BEHIND_INIT)
def test_what_came_before_the_damage_is_used(case, machine):
    why, data = BEHIND_INIT[case]
    run_with(data(), f"initrd-{case}", machine,
             rf"initrd: {why} at offset {second()}: what came before it is used",
             "rung by sixteen instructions", exited(0))


# Where nothing of use is left.
USELESS = {
    "cut-in-first-header": (r"initrd: cut short at offset 0: .*", lambda: two_files()[:300]),
    "cut-in-first-data": (r"initrd: cut short at offset 0: .*", lambda: two_files()[:2000]),
    "one-byte": (r"initrd: cut short at offset 0: .*", lambda: b"x"),
    "zeros": (r"initrd: empty archive at offset 0: .*", lambda: bytes(20 * BLOCK)),
    "garbage": (r"initrd: bad checksum at offset 0: .*",
                lambda: bytes(i * 7 + i // 256 * 13 & 255 for i in range(20000))),
    "compressed": (r"initrd: .* at offset 0: .*", lambda: b"\x1f\x8b\x08" + bytes(range(256)) * 9),
    "empty-file": (r"initrd: .*", lambda: b""),
    "no-init": (r"/init: no such file", lambda: archive(file("bin/other", small()))),
    "init-is-a-directory": (r"/init: is a directory, not a program",
                            lambda: archive(directory("init"))),
    "init-is-not-executable": (r"/init: its mode 644 does not allow to execute it",
                               lambda: archive(file("init", small(), 0o644))),
    "init-links-nowhere": (r"/init: no such file", lambda: archive(symlink("init", "nowhere"))),
    "init-links-to-itself": (r"/init: too many symbolic links",
                             lambda: archive(symlink("init", "init"))),
    "init-outside": (r"initrd: .* passed over: name leaves the root.*",
                     lambda: archive(file("../init", small()))),
}


@pytest.mark.parametrize("case", USELESS)
def test_without_init_it_panics_in_words(case, machine):
    line, data = USELESS[case]
    vm = run_with(data(), f"initrd-{case}", machine, line, NO_INIT, forbid=(),
                  status=STATUS_PANIC)
    assert "panic: end of report" in vm.output()
    begin = next(i for i, line in enumerate(vm.lines) if line.endswith("] Carillon"))
    for line in vm.lines[begin:]:
        assert not line or len(STAMP.findall(line)) == 1 and STAMP.match(line), f"torn: {line}"


def test_no_module(machine):
    run = Run("initrd-none", smp="2", status=STATUS_PANIC, forbid=(), expect=[
        r"initrd: the boot loader brought no module: .*", r"/init: no such file", NO_INIT])
    boot(run, machine, initrd=NO_INITRD)


def test_a_module_on_the_kernel(machine):
    """QEMU puts it at the end of memory, whatever is there."""
    run = Run("initrd-on-kernel", smp="2", mem="4M", status=STATUS_PANIC, forbid=(), expect=[
        r"panic: core 0: boot: the module at 0x\w+ to 0x\w+ lies on the kernel at 0x200000 to 0x\w+: "
        "too little memory", "panic: end of report"])
    boot(run, machine, initrd=save("on-the-kernel", b"\xff" * (1 << 20)))


def test_a_damaged_archive_on_the_disc(machine):
    data = two_files()[:second() + 100]
    run_with(data, "initrd-disc-cut", machine,
             rf"initrd: cut short at offset {second()}: what came before it is used", exited(0),
             boot="iso")


def test_an_empty_archive_on_the_disc(machine):
    run_with(b"", "initrd-disc-empty", machine, r"initrd: .*", NO_INIT, boot="iso", forbid=(),
             status=STATUS_PANIC)


GOOD = {
    "init-by-link": lambda: archive(symlink("init", "bin/x"), file("bin/x", small())),
    "init-by-absolute-link": lambda: archive(symlink("init", "/bin/x"), file("bin/x", small())),
    "init-by-link-through-directory": lambda: archive(
        directory("usr"), directory("usr/bin"), symlink("bin", "usr/bin"), symlink("init", "bin/x"),
        file("usr/bin/x", small())),
    "dot-slash-names": lambda: archive(directory("./"), file("./init", small())),
    "without-its-end": lambda: two_files()[:-20 * BLOCK + 8 * BLOCK],
    "long-name": lambda: archive(file(f"{'d' * 100}/{'f' * 99}", b"long"), file("init", small())),
}


@pytest.mark.parametrize("case", GOOD)
def test_good_archives(case, machine):
    run_with(GOOD[case](), f"initrd-{case}", machine, "rung by sixteen instructions", exited(0))


def test_a_file_in_a_devices_place(machine):
    """What the archive brought stays; the device's name is missing, and the log says so."""
    run_with(archive(file("init", small()), file("dev/null", b"a file")), "initrd-dev-null",
             machine, r"/dev/null: the archive has something of that name: .*",
             "rung by sixteen instructions", exited(0))


# ---- programs ------------------------------------------------------------------------------------

# Offsets in the ELF64 file header and in a program header (System V ABI, "ELF Header", "Program
# Header").
E_CLASS, E_DATA, E_TYPE, E_MACHINE, E_ENTRY, E_PHOFF = 4, 5, 16, 18, 24, 32
E_PHENTSIZE, E_PHNUM = 54, 56
P_TYPE, P_FLAGS, P_OFFSET, P_VADDR, P_FILESZ, P_MEMSZ = 0, 4, 8, 16, 32, 40
PT_LOAD, PT_INTERP = 1, 3
PF_X, PF_W = 1, 2
PHDR_BYTES = 56


class Elf:
    """A good program whose headers can be made to lie."""

    def __init__(self):
        self.data = bytearray(small())
        (self.phoff,) = struct.unpack_from("<Q", self.data, E_PHOFF)
        (count,) = struct.unpack_from("<H", self.data, E_PHNUM)
        self.headers = [self.phoff + i * PHDR_BYTES for i in range(count)]
        self.loads = [at for at in self.headers if self.get("<I", at + P_TYPE) == PT_LOAD]
        self.code = next(at for at in self.loads if self.get("<I", at + P_FLAGS) & PF_X)

    def get(self, form, at):
        return struct.unpack_from(form, self.data, at)[0]

    def put(self, form, at, value):
        struct.pack_into(form, self.data, at, value)


def header(form, field, value):
    return lambda elf: elf.put(form, field, value)


def segment(form, field, value):
    """A lie in the header of the code segment."""
    return lambda elf: elf.put(form, elf.code + field, value)


def cut(length):
    def lie(elf):
        del elf.data[length:]
    return lie


def overlap(elf):
    """The last segment lies where the code does."""
    for field in (P_OFFSET, P_VADDR):
        elf.put("<Q", elf.loads[-1] + field, elf.get("<Q", elf.code + field))


def to_the_end(elf):
    """The code's bytes reach to one byte behind the end of the file."""
    length = len(elf.data) - elf.get("<Q", elf.code + P_OFFSET) + 1
    elf.put("<Q", elf.code + P_FILESZ, length)
    elf.put("<Q", elf.code + P_MEMSZ, length)


HUGE = 1 << 62
# What is wrong, in the kernel's words, and the lies that it should be said about.
LIES = {
    "shorter than an ELF header": {"empty": cut(0), "short": cut(63)},
    "not an ELF file": {
        "a-script": lambda elf: elf.data.__setitem__(slice(0, 20), b"#!/bin/sh\nexec true\n"),
        "magic": header("B", 0, 0x7e)},
    "not a 64-bit program": {"32-bit": header("B", E_CLASS, 1)},
    "not a little-endian program": {"big-endian": header("B", E_DATA, 2)},
    "not an executable .*": {"object-file": header("<H", E_TYPE, 1)},
    "position-independent or shared: .*": {"shared": header("<H", E_TYPE, 3)},
    "not an x86-64 program": {"other-machine": header("<H", E_MACHINE, 183)},
    "its entry point is not in an executable segment": {
        "entry-nowhere": header("<Q", E_ENTRY, 0x12345678),
        "entry-in-kernel": header("<Q", E_ENTRY, 0xffffffff80200000),
        "entry-in-constants": lambda elf: elf.put(
            "<Q", E_ENTRY, elf.get("<Q", elf.loads[0] + P_VADDR)),
        "entry-zero": header("<Q", E_ENTRY, 0)},
    "program headers reach past the end of the file": {
        "headers-only": cut(64),
        "phoff-behind-file": header("<Q", E_PHOFF, 1 << 20),
        "phoff-wraps": header("<Q", E_PHOFF, (1 << 64) - 8),
        "phoff-one-too-far": lambda elf: elf.put("<Q", E_PHOFF, len(elf.data) - PHDR_BYTES + 1)},
    "no or too many program headers": {"phnum-zero": header("<H", E_PHNUM, 0),
                                       "phnum-huge": header("<H", E_PHNUM, 0xffff)},
    "headers of unknown size": {"phentsize": header("<H", E_PHENTSIZE, 8)},
    "needs a dynamic linker: .*": {
        "interpreter": lambda elf: elf.put("<I", elf.headers[-1] + P_TYPE, PT_INTERP)},
    "nothing to load": {
        "no-segments": lambda elf: [elf.put("<I", at + P_TYPE, 0) for at in elf.headers]},
    r"segment \d is writable and executable": {
        "write-and-execute": segment("<I", P_FLAGS, PF_X | PF_W | 4)},
    r"segment \d reaches past the end of the file": {
        "offset-behind-file": segment("<Q", P_OFFSET, 1 << 20),
        "offset-wraps": segment("<Q", P_OFFSET, (1 << 64) - 0x1000),
        "one-byte-behind-file": to_the_end},
    r"segment \d is larger in the file than in memory": {
        "filesz-huge": segment("<Q", P_FILESZ, HUGE),
        "filesz-above-memsz": segment("<Q", P_MEMSZ, 1)},
    r"segment \d lies above the highest address of programs": {
        "memsz-huge": segment("<Q", P_MEMSZ, HUGE),
        "memsz-wraps": segment("<Q", P_MEMSZ, (1 << 64) - 1),
        "memsz-to-the-border": segment("<Q", P_MEMSZ, (1 << 47) - 0x401000),
        "vaddr-kernel": segment("<Q", P_VADDR, 0xffffffff80201000),
        "vaddr-non-canonical": segment("<Q", P_VADDR, 1 << 63),
        "vaddr-wraps": segment("<Q", P_VADDR, (1 << 64) - 0x1000),
        "vaddr-last-page": segment("<Q", P_VADDR, 0x7ffffffff000)},
    r"segment \d lies below the lowest address of programs": {
        "vaddr-null": segment("<Q", P_VADDR, 0)},
    r"segment \d differs in address and file offset within the page": {
        "vaddr-misaligned": segment("<Q", P_VADDR, 0x401008)},
    r"segment \d overlaps another one": {"overlap": overlap},
    "needs more than 1 GiB of memory": {"memsz-2-gib": lambda elf: elf.put(
        "<Q", elf.loads[-1] + P_MEMSZ, 2 << 30)},
}


@pytest.mark.parametrize("why, name, lie", [
    pytest.param(why, name, lie, id=name) for why, lies in LIES.items()
    for name, lie in lies.items()])
def test_lying_headers(why, name, lie, machine):
    elf = Elf()
    lie(elf)
    run_with(archive(file("init", bytes(elf.data))), f"elf-{name}", machine,
             rf"/init: not a program for this machine: {why}", NO_INIT, forbid=(),
             status=STATUS_PANIC)


def test_a_program_larger_than_memory(machine):
    elf = Elf()
    elf.put("<Q", elf.loads[-1] + P_MEMSZ, 600 << 20)
    run_with(archive(file("init", bytes(elf.data))), "elf-too-large", machine,
             r"/init: not enough memory to load it", NO_INIT, forbid=(), status=STATUS_PANIC)


def test_zeroes_behind_the_file(machine):
    """Memory behind a segment's file part is 0, also where the archive lay before.

    Of 64 MiB the ballast's copy takes 18 and the program 28: some of it must be the archive's.
    """
    ballast = file("ballast", b"\xff" * (18 << 20))
    run_with(archive(file("init", programs.data_of("zeroes")), ballast), "elf-zeroes", machine,
             r"zeroes: \d+ bytes, 0 others", exited(0), mem="64M")
