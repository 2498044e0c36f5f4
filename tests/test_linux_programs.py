# SPDX-License-Identifier: MIT
"""The same static program on this machine's Linux and in Carillon: what it prints must be the same.

The programs print only what may not differ; its exit status is compared too.
"""

import difflib
import re
import resource
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

import pytest

import programs
from booting import config_for
from machine import STAMP
from runs import PANIC, Run

MISSING = re.compile(r"asked for the system call \d+ \((\w+)\), which is not there")
MB = 1 << 20
# What a process may have in Carillon.
LIMITS = {resource.RLIMIT_NOFILE: 1024, resource.RLIMIT_STACK: 8 * MB, resource.RLIMIT_CORE: 0}


@dataclass
class Case:
    name: str
    mem: str = "256M"
    smp: str = "4"
    limit: int = 120
    missing: tuple = ()  # calls that libc asks for first, and does without
    quick: bool = False


CASES = [
    Case("files", quick=True),
    Case("paths"),
    Case("descriptors"),
    Case("memory", mem="512M", missing=("mremap",)),
    Case("qsort", limit=180),
    Case("printf", limit=180),
    Case("processes", quick=True),
    Case("cores"),
    Case("cores", smp="1"),
    Case("times"),
    Case("machine"),
    Case("procfs", quick=True),
    Case("suffer"),
    Case("crowd"),
]


def set_limits():
    for which, limit in LIMITS.items():
        resource.setrlimit(which, (limit, limit))


def on_linux(name):
    """Returns: the lines that the program prints here, and its exit status."""
    with tempfile.TemporaryDirectory(dir="/dev/shm") as scratch:
        result = subprocess.run(
            [programs.program(name).resolve(), Path(scratch) / "x"], stdin=subprocess.DEVNULL,
            capture_output=True, text=True, env={}, cwd="/", preexec_fn=set_limits, timeout=120,
            check=False)
    assert result.stderr == ""
    return result.stdout.splitlines(), result.returncode


def in_carillon(case, machine):
    run = Run(f"linux-{case.name}-{case.smp}", init=(case.name,), mem=case.mem, smp=case.smp)
    vm = machine(config_for(run, programs.initrd_of(case.name)), case.limit, run.name)
    status = vm.wait_exit(forbid=(PANIC,))
    missing = [match[1] for line in vm.lines if (match := MISSING.search(line))]
    return [line for line in vm.lines if not STAMP.match(line)], missing, status


def params():
    for case in CASES:
        yield pytest.param(case, id=f"{case.name}-{case.smp}",
                           marks=[pytest.mark.quick] if case.quick else [])


@pytest.mark.parametrize("case", params())
def test_same_as_on_linux(case, machine):
    expected, status = on_linux(case.name)
    assert not any(line.startswith("broken:") for line in expected), expected[-1]
    assert not any(line.endswith(": NO") for line in expected), "it does not hold on Linux either"
    expected.append(f"init: exited with status {status}")
    lines, missing, carillon_status = in_carillon(case, machine)
    difference = "\n".join(difflib.unified_diff(expected, lines, "Linux", "Carillon", n=2,
                                                lineterm=""))
    assert not difference, f"{case.name}, without {missing}\n{difference}"
    assert carillon_status == status
    assert missing == list(case.missing)
