# SPDX-License-Identifier: MIT
"""The test programs of tests/user, built for the guest, and the archives that carry them.

A NAME.asm is linked alone; a NAME.c that includes test.h with tests/user/lib and the generated
stubs; every other NAME.c is a program with a libc, compiled by plain musl-gcc as on Linux, where it
runs too, unless it includes carillon_raw.h: then the generated stubs are added.
"""

import functools
import io
import shlex
import subprocess
import tarfile
from pathlib import Path

from machine import OUTPUT, output_path
from qemu import BUILD, ROOT

SOURCES = ROOT / "tests/user"
BUILT = OUTPUT / "programs"

CC = ["gcc", "-std=gnu17", "-O2", "-g", "-ffreestanding", "-fno-pic", "-fno-pie",
      "-fno-stack-protector", "-fcf-protection=none", "-fno-asynchronous-unwind-tables",
      "-fno-tree-loop-distribute-patterns", "-Wall", "-Wextra", "-Werror", "-Wshadow",
      "-Wstrict-prototypes", "-Wmissing-prototypes", "-Itests/user/lib", f"-I{BUILD}/gen"]
NASM = ["nasm", "-f", "elf64", "-g", "-F", "dwarf", "-w+all", "-Werror", "-Itests/user/",
        f"-I{BUILD}/gen/"]
LD = ["ld", "-static", "-e", "_start", "-z", "max-page-size=4096", "-z", "noexecstack",
      "--build-id=none", "--fatal-warnings"]
MUSL_CC = ["musl-gcc", "-static", "-std=gnu17", "-O2", "-g", "-D_GNU_SOURCE", "-Wall", "-Wextra",
           "-Werror", "-Wshadow", "-Wstrict-prototypes", "-Wmissing-prototypes",
           "-Wl,-z,noexecstack", f"-I{BUILD}/gen"]
# The highest page below arch.h's ARCH_USER_END; only the programs top_* have such a section.
TOP = ["--section-start=.top=0x7fffffffe000"]


def run_tool(command):
    command = [str(word) for word in command]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        raise AssertionError(f"{shlex.join(command)}\n{result.stdout}{result.stderr}")
    return result.stdout


@functools.cache
def compiled(source):
    """The object file of a C or NASM source; compiled once in each run of the tests."""
    output = BUILT / (str(source.relative_to(ROOT)).replace("/", "_") + ".o")
    output.parent.mkdir(parents=True, exist_ok=True)
    tool = [*CC, "-c"] if source.suffix == ".c" else NASM
    run_tool([*tool, "-o", output, source])
    return output


@functools.cache
def library():
    sources = [*sorted((SOURCES / "lib").glob("*.[ca]*")), BUILD / "gen/carillon_stubs.asm"]
    return [compiled(source) for source in sources]


def includes(source, header):
    return f'#include "{header}"' in source.read_text(encoding="utf-8")


def has_libc(source):
    return source.suffix == ".c" and not includes(source, "test.h")


def with_libc(source, output):
    own_gate = [SOURCES / "lib/gate.asm", BUILD / "gen/carillon_stubs.asm"]
    objects = [compiled(part) for part in own_gate] if includes(source, "carillon_raw.h") else []
    run_tool([*MUSL_CC, "-o", output, source, *objects])


@functools.cache
def program(name):
    """The path of a built test program."""
    source = next(SOURCES.glob(f"{name}.[ca]*"))
    output = BUILT / name
    output.parent.mkdir(parents=True, exist_ok=True)
    if has_libc(source):
        with_libc(source, output)
        return output
    objects = [compiled(source), *(library() if source.suffix == ".c" else [])]
    run_tool([*LD, *(TOP if name.startswith("top_") else []), "-o", output, *objects])
    return output


@functools.cache
def symbols(name):
    """The addresses of a program's symbols."""
    lines = run_tool(["nm", program(name)]).splitlines()
    return {fields[2]: int(fields[0], 16) for fields in map(str.split, lines) if len(fields) == 3}


# ---- archives ------------------------------------------------------------------------------------


def entry(name, mode, **more):
    info = tarfile.TarInfo(name)
    info.mode = mode
    for key, value in more.items():
        setattr(info, key, value)
    return info, b""


def file(name, data, mode=0o755):
    return entry(name, mode, size=len(data))[0], data


def directory(name):
    return entry(name, 0o755, type=tarfile.DIRTYPE)


def symlink(name, target):
    return entry(name, 0o777, type=tarfile.SYMTYPE, linkname=target)


def archive(*entries):
    """The bytes of an archive, as `tar --format=ustar` writes it."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for info, data in entries:
            tar.addfile(info, io.BytesIO(data))
    return stream.getvalue()


def data_of(name):
    return program(name).read_bytes()


def save(name, data):
    """Keep an initrd's bytes for QEMU to read. Returns: its path."""
    path = output_path(name, "initrd")
    path.write_bytes(data)
    return path


@functools.cache
def initrd():
    """The archive with all test programs without a libc in /bin; there is no /init."""
    names = sorted(path.stem for path in SOURCES.glob("*.[ca]*") if not has_libc(path))
    return save("programs", archive(*(file(f"bin/{name}", data_of(name)) for name in names)))


def initrd_of(*names):
    """An archive with these programs alone in /bin."""
    return save("-".join(names), archive(*(file(f"bin/{name}", data_of(name)) for name in names)))
