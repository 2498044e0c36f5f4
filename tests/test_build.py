# SPDX-License-Identifier: MIT
"""The build itself: a second compiler, and a prefix for other machines' tools."""

import os
import shutil
import subprocess

import pytest

import qemu
from machine import OUTPUT
from runs import PANIC, exited, received


def make(directory, *words, path=None):
    """Build kernel and archive into a directory of their own."""
    environment = {**os.environ, "PATH": f"{path}:{os.environ['PATH']}" if path else os.environ["PATH"]}
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
    vm = machine(qemu.Config(kernel=kernel, initrd=initrd, append="debugexit"), 60)
    vm.wait_line(*sorted(received(range(4))), forbid=(PANIC,))
    vm.wait_line(exited(0), forbid=(PANIC,))
    assert vm.wait_exit() == 0


def test_cross_compile_prefix(empty, tmp_path):
    """Every tool that makes code for the target is called by the prefix."""
    for tool in ("gcc", "ld", "strip", "nm"):
        script = tmp_path / f"probe-{tool}"
        script.write_text(f'#!/bin/sh\necho {tool} >> {tmp_path}/called\nexec {tool} "$@"\n')
        script.chmod(0o755)
    make(empty, "CROSS_COMPILE=probe-", path=tmp_path)
    assert set((tmp_path / "called").read_text().split()) == {"gcc", "ld", "strip", "nm"}
