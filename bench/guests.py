# SPDX-License-Identifier: MIT
"""The three guests that are measured, how they are booted, and what they print.

A guest prints, as bench/guest/series.inc says, series of samples; each is given here less the cost
of the two rdtsc around it, which was measured in the same run.
"""

import functools
import io
import re
import statistics
import subprocess
import sys
import tarfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tools"))
import qemu  # noqa: E402  (needs the path above)

OUTPUT = ROOT / "build/bench"
FLOOR = OUTPUT / "floor.elf"
GATES = OUTPUT / "gates"
PROGRAMS = OUTPUT / "programs"
CHILD = OUTPUT / "child"  # which they run
PLUGIN = OUTPUT / "count_plugin.so"
LOGS = OUTPUT / "log"

# TSC = guest instructions of all cores together, and every run is the same.
EXACT = ["-icount", "shift=0,sleep=off"]

SERIES = re.compile(r"(?:# )?bench: (\w+)( pair)?((?: \d+)+)")
FACTS = ("bring_up_ns", "init_wait_ns", "memory_free_kib")  # in the same form, but no operations
END = r"bench: done|ok 1 bench-(?:rings|bottom-halves|interrupts)"
STAMP = re.compile(r"\[ *(\d+\.\d{6})\] (.*)")

# Intel SDM vol 3A, "Interrupt 14--Page-Fault Exception (#PF)"; src/arch/x86_64/trap.h
PAGE_FAULT = 14
TRAP_STUB_SIZE = 16

# No `rep stosb` and `rep movsb` for pages: each byte would count as an instruction.
PAGES_CPU = "max,-erms"

LINUX_WORDS = "console=ttyS0 panic=-1"  # when init ends, Linux panics; then QEMU ends


class GuestError(Exception):
    """A guest did not do what it should; the text has its last lines."""


def say(text):
    print(f"bench: {text}", flush=True)


@functools.cache
def carillon_initrd(*programs):
    """An archive of the programs, in its root."""
    path = OUTPUT / f"{programs[0].name}.tar"
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w", format=tarfile.USTAR_FORMAT) as tar:
        for program in programs:
            info, data = tarfile.TarInfo(program.name), program.read_bytes()
            info.mode, info.size = 0o755, len(data)
            tar.addfile(info, io.BytesIO(data))
    path.write_bytes(stream.getvalue())
    return path


def floor(cores):
    return qemu.Config(smp=str(cores), kernel=FLOOR)


def carillon_gates(cores, mem="256M"):
    """Carillon with the program that calls the gates as init."""
    return qemu.Config(smp=str(cores), mem=mem, kernel=qemu.KERNEL,
                       initrd=carillon_initrd(GATES), append="debugexit init=/gates -- rings")


def carillon_programs(cores):
    """Carillon with the C program that measures processes and memory as init."""
    return qemu.Config(smp=str(cores), cpu=PAGES_CPU, kernel=qemu.KERNEL,
                       initrd=carillon_initrd(PROGRAMS, CHILD),
                       append="debugexit init=/programs -- rings")


def carillon_rings(cores):
    """Carillon with its own measurements inside the kernel."""
    return qemu.Config(smp=str(cores), kernel=qemu.KERNEL,
                       append="debugexit selftest=bench-rings")


def carillon_bottom_halves(cores):
    """The same for what an interrupt's handler raises."""
    return qemu.Config(smp=str(cores), kernel=qemu.KERNEL,
                       append="debugexit selftest=bench-bottom-halves")


def carillon_interrupts(cores):
    """The same for interrupts, from their stubs on."""
    return qemu.Config(smp=str(cores), kernel=qemu.KERNEL,
                       append="debugexit selftest=bench-interrupts")


def linux_init(kernel, initramfs, cores, mem="256M", cpu="max"):
    return qemu.Config(smp=str(cores), mem=mem, cpu=cpu, kernel=kernel, initrd=initramfs,
                       append=LINUX_WORDS)


# ---- running -------------------------------------------------------------------------------------


def read_until(process, wanted, deadline):
    """Returns: the lines up to the first that holds `wanted`, and whether there was one."""
    lines = []
    for line in process.stdout:
        lines.append(line.replace("\r", "").rstrip("\n"))
        if re.search(wanted, line):
            return lines, True
        if time.monotonic() > deadline:
            break
    return lines, False


def boot(name, config, wanted, extra=(), limit=300, count=None):
    """
    Boot a guest and read its console until a line holds `wanted`; QEMU is ended then, or when it
    has ended itself where `count` is given: (marks, pass), for the plugin.
    Returns: the lines. Raises GuestError.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    config.extra = [*extra, *(plugin_options(name, config.kernel, *count) if count else [])]
    command = ["timeout", "--kill-after=5", str(limit), *qemu.command(config, OUTPUT / "scratch")]
    start = time.monotonic()
    with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, text=True, errors="replace") as process:
        try:
            lines, found = read_until(process, wanted, start + limit)
            rest = process.communicate()[0] if found and count else ""
        finally:
            process.terminate()
    (LOGS / f"{name}.log").write_text("\n".join([*lines, rest]) + "\n")
    if not found:
        raise GuestError(f"{name}: ended, or {limit} s passed, before '{wanted}' was seen")
    if failed := [line for line in lines if line.startswith("not ok")]:
        raise GuestError(f"{name}: {failed[0]}")
    say(f"  {name}: {time.monotonic() - start:.1f} s")
    return lines


def series(lines):
    """{operation: samples}, each less the pair's own cost."""
    pairs, found = {}, {}
    for line in lines:
        if match := SERIES.fullmatch(line.strip()):
            (pairs if match[2] else found)[match[1]] = [int(word) for word in match[3].split()]
    for name, samples in found.items():
        if name in pairs:
            pair = statistics.median_low(pairs[name])
            found[name] = [sample - pair for sample in samples]
    return found


def stamp(lines, text):
    """The log's stamp, in seconds, of the first line with that text."""
    for line in lines:
        if (match := STAMP.search(line)) and re.search(text, match[2]):
            return float(match[1])
    raise GuestError(f"no line '{text}'")


def number(lines, pattern):
    """The number that `pattern` catches where it first fits, or None."""
    for line in lines:
        if match := re.search(pattern, line):
            return int(next(group for group in match.groups() if group))
    return None


# ---- counting from outside -----------------------------------------------------------------------


@functools.cache
def symbols(path):
    """{name: address} of an ELF file; one without symbols gives none."""
    listing = subprocess.run(["nm", path], capture_output=True, text=True, check=True).stdout
    return {name: int(value, 16)
            for value, name in re.findall(r"^([0-9a-f]+) \w (\S+)$", listing, re.MULTILINE)}


def marks_of(path, names=None):
    """{operation: (from, to)}: an ELF file's labels op_NAME and op_NAME_end; with op_NAME_vector in
    place of the first it begins with that vector's stub."""
    at = symbols(path)
    begin = {name: address for name, address in at.items() if f"{name}_end" in at}
    begin |= {name[:-len("_vector")]: at["trap_stubs"] + vector * TRAP_STUB_SIZE
              for name, vector in at.items() if name.endswith("_vector") and name.startswith("op_")}
    return {name[3:]: (address, at[f"{name}_end"]) for name, address in sorted(begin.items())
            if name.startswith("op_") and (names is None or name[3:] in names)}


def count_file(name):
    return LOGS / f"{name}.count"


def plugin_options(name, kernel, marks, detailed_pass):
    words = [f"out={count_file(name)}", f"at={detailed_pass}",
             *(f"mark={start:#x}:{end:#x}" for start, end in marks.values())]
    if kernel == qemu.KERNEL:
        entry = symbols(kernel)["trap_stubs"] + PAGE_FAULT * TRAP_STUB_SIZE
        words.append(f"fault={entry:#x}")
    return ["-plugin", ",".join([str(PLUGIN), *words])]


def counted(name, config, marks, extra=(), limit=300, detailed_pass=16):
    """
    Boot a guest to its end and count from outside, by core.
    Returns: {operation: [counts of each core, for each pass]}, {operation: [(core, address)]} of
    the pass `detailed_pass`, and the lines.
    """
    lines = boot(name, config, END, extra, limit, count=(marks, detailed_pass))
    names = list(marks)
    passes = {operation: [] for operation in names}
    steps = {operation: [] for operation in names}
    for row in count_file(name).read_text().splitlines():
        kind, mark, *fields = row.split()
        if kind == "pass":
            passes[names[int(mark)]].append([int(field) for field in fields[1:]])
        else:
            steps[names[int(mark)]].append((int(fields[0]), int(fields[1], 16)))
    return passes, steps, lines
