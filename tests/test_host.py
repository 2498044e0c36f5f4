# SPDX-License-Identifier: MIT
"""Compile every tests/host/test_*.c for this machine and run it, one case each.

A test names the sources that it links, and flags of its own, in lines of this form:

    /* links: src/fs/tar.c src/lib/text.c */
    /* flags: -include tests/host/fake/rename.h */

Flags that choose a sanitizer replace the usual ones.
"""

import os
import re
import shlex
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
BUILD = os.environ.get("BUILD", "build")
OUTPUT = ROOT / BUILD / "host"
LIMIT = 300  # seconds for one program

CC = os.environ.get("HOST_CC", "gcc")
FLAGS = ["-std=gnu17", "-g", "-O1", "-Wall", "-Wextra", "-Werror",
         "-fno-omit-frame-pointer", "-fno-sanitize-recover=all", "-DCARILLON_DEBUG=0",
         "-Itests/host/fake", "-Isrc", f"-I{BUILD}/gen"]
SANITIZERS = ["-fsanitize=address,undefined"]

TESTS = sorted((ROOT / "tests/host").glob("test_*.c"))


def directive(text, key):
    """The words of the test's `/* key: ... */` lines."""
    return shlex.split(" ".join(re.findall(rf"^/\* {key}: (.*?) \*/$", text, re.MULTILINE)))


def is_fresh(output, command):
    """Was `output` made by this very command, from files that have not changed since?"""
    record, deps = output.with_suffix(".cmd"), output.with_suffix(".d")
    if not output.exists() or not deps.exists() or not record.exists():
        return False
    if record.read_text(encoding="utf-8") != shlex.join(command):
        return False
    made = output.stat().st_mtime
    names = deps.read_text(encoding="utf-8").split(":", 1)[1].replace("\\\n", " ").split()
    paths = [ROOT / name for name in names]
    return all(path.exists() and path.stat().st_mtime < made for path in paths)


def run_compiler(command):
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if result.returncode != 0:
        pytest.fail(f"{shlex.join(command)}\n{result.stderr}", pytrace=False)


def compile_one(job):
    source, output, flags = job
    command = [CC, *flags, "-MMD", "-MF", str(output.with_suffix(".d")), "-c", "-o", str(output),
               source]
    if not is_fresh(output, command):
        output.parent.mkdir(parents=True, exist_ok=True)
        run_compiler(command)
        output.with_suffix(".cmd").write_text(shlex.join(command), encoding="utf-8")


def build(test):
    """Compile and link one test program. Returns its path."""
    text = test.read_text(encoding="utf-8")
    own = directive(text, "flags")
    sanitizers = [] if any(f.startswith("-fsanitize=") for f in own) else SANITIZERS
    flags = [*FLAGS, *sanitizers, *own]
    sources = [f"tests/host/{test.name}", *directive(text, "links")]

    place = OUTPUT / test.stem
    jobs = [(source, place / f"{source}.o", flags) for source in sources]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(compile_one, jobs))
    program = place / "program"
    run_compiler([CC, *flags, "-o", str(program), *(str(job[1]) for job in jobs),
                  "-lcmocka", "-lpthread"])
    return program


@pytest.mark.quick
@pytest.mark.parametrize("test", TESTS, ids=lambda path: path.stem.removeprefix("test_"))
def test_host(test):
    program = build(test)
    environment = {**os.environ, "UBSAN_OPTIONS": "print_stacktrace=1",
                   "ASAN_OPTIONS": "detect_stack_use_after_return=1"}
    result = subprocess.run([program], cwd=ROOT, env=environment, timeout=LIMIT, check=False,
                            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                            errors="replace")
    if result.returncode != 0:
        pytest.fail(f"{test.name} ended with status {result.returncode}\n{result.stdout}",
                    pytrace=False)
