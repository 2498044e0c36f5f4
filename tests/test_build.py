# SPDX-License-Identifier: MIT
"""The build itself: a second compiler, a prefix for other machines' tools, an odd directory."""

import os
import shutil
import subprocess

import pytest

import qemu
from machine import OUTPUT, output_path
from runs import PANIC, exited, received


def make(directory, *words):
    """Build kernel and archive into a directory of their own."""
    environment = dict(os.environ)
    environment.pop("MAKEFLAGS", None)
    built = directory.relative_to(qemu.ROOT)
    result = subprocess.run(
        ["make", f"B={built}", *words, f"{built}/carillon.elf", f"{built}/initrd.tar"],
        cwd=qemu.ROOT, env=environment, capture_output=True, text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    return directory / "carillon.elf", directory / "initrd.tar"


@pytest.fixture
def empty(request):
    directory = OUTPUT / request.node.name
    shutil.rmtree(directory, ignore_errors=True)
    return directory


@pytest.mark.skipif(shutil.which("clang") is None, reason="clang is not installed")
def test_clang(empty, machine):
    kernel, initrd = make(empty, "CC=clang")
    vm = machine(qemu.Config(kernel=kernel, initrd=initrd, append="debugexit -- demo"), 60)
    vm.wait_line(*sorted(received(range(4))), forbid=(PANIC,))
    vm.wait_line(exited(0), forbid=(PANIC,))
    assert vm.wait_exit() == 0


def probes(directory):
    """A prefix's tools: each notes that it was called, then does what it does without a prefix."""
    for tool in ("gcc", "ar", "strip", "nm"):
        script = directory / f"probe-{tool}"
        script.write_text(f'#!/bin/sh\necho {tool} >> {directory}/called\nexec {tool} "$@"\n')
        script.chmod(0o755)


def test_prefix_and_blank(tmp_path):
    """Every tool that makes code for the target is called by the prefix. A checkout may lie
    anywhere; the code does not depend on where."""
    probes(tmp_path)
    tree = tmp_path / "a blank, and a comma"
    tree.mkdir()
    for name in ("Makefile", "linker.ld", "iso", "src", "tools", "user"):
        copy = shutil.copytree if (qemu.ROOT / name).is_dir() else shutil.copy
        copy(qemu.ROOT / name, tree / name)
    environment = {**os.environ, "CMDLINE": "", "SMP": "2", "PATH": f"{tmp_path}:{os.environ['PATH']}"}
    environment.pop("MAKEFLAGS", None)
    debug = ["DEBUG=1"] if qemu.KERNEL == qemu.DEBUG_KERNEL else []
    result = subprocess.run(["make", f"-j{os.cpu_count()}", "CROSS_COMPILE=probe-", *debug, "run"],
                            cwd=tree, env=environment, stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "init: exited with status 0" in result.stdout
    assert set((tmp_path / "called").read_text().split()) == {"gcc", "ar", "strip", "nm"}
    assert code_of(tree / qemu.KERNEL.relative_to(qemu.ROOT)) == code_of(qemu.KERNEL)


def code_of(kernel):
    """The kernel without its debug information, which names the assembler's directory."""
    copy = output_path("stripped", "elf")
    subprocess.run(["strip", "--strip-debug", "-o", copy, kernel], check=True)
    return copy.read_bytes()
