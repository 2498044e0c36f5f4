# SPDX-License-Identifier: MIT
"""What make and its tools say and do: which packages are asked for, words for what cannot be, a
terminal left as it was. A script stands in for QEMU where its end is not of interest.
"""

import os
import re
import subprocess
from pathlib import Path

import pexpect
import pytest

import qemu
from conftest import GROUP

GREY = b"\x1b[37m\x1b[40m"  # as OVMF colours the screen


def tool(name, *arguments, **variables):
    """Run a program of tools/ without a terminal."""
    return subprocess.run([qemu.ROOT / "tools" / name, *arguments], cwd=qemu.ROOT,
                          env={**os.environ, **variables}, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)


def run(**variables):
    return tool("run", "--iso", qemu.BUILD / "carillon.iso", **variables)


def make(*words):
    """What make prints; its stamps are kept apart from those of the real build."""
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "CMDLINE", "T")}
    return subprocess.run(["make", "-s", "B=build/test/words", *words], cwd=qemu.ROOT,
                          env=environment, capture_output=True, text=True, check=True).stdout


# ---- which packages ------------------------------------------------------------------------------


def groups_asked_for(*words):
    said = make("-n", *words)
    return set(re.search(r"^tools/deps --need (.*)$", said, re.MULTILINE)[1].split())


@pytest.mark.parametrize("words, groups", [
    ("all", "build"), ("usb", "build"), ("run", "build run"), ("gdb", "build run gdb"),
    ("check", "build check models"), ("format", "build check"),
    ("run check", "build run check models"),
    ("test", "build run test"), ("test T=quick", "build run test"),
    ("test T=host", "host"), ("test T=list", "list")])
def test_groups(words, groups):
    listed = {group for line in (qemu.ROOT / "tools/packages.txt").read_text().splitlines()
              if line and line[0] != "#" for group in line.split("|")[1].split()}
    assert groups_asked_for(*words.split()) == set(groups.split()) <= listed


@pytest.mark.skipif("PYTEST_XDIST_WORKER" not in os.environ, reason="nothing runs side by side")
def test_these_run_one_by_one(request):
    """xdist knows a test's group by its name alone."""
    assert request.node.nodeid.endswith(f"@{GROUP}")


@pytest.mark.quick
def test_host_tests_do_without_pexpect(tmp_path):
    """Nor does anything that they import need more than their group of packages has."""
    (tmp_path / "pexpect.py").write_text("raise ImportError('the host tests are to do without')\n")
    result = tool("test", "host", PYTEST_ADDOPTS="--collect-only -q", PYTHONPATH=str(tmp_path))
    assert result.returncode == 0, result.stdout + result.stderr


# ---- words ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("variables, sentence", [
    ({"QEMU": "no-such-qemu"}, "run: no-such-qemu: No such file or directory"),
    ({"QEMU": "/dev"}, "run: /dev: Permission denied"),
    ({"FIRMWARE": "efi"}, "run: FIRMWARE is bios or uefi, not 'efi'"),
    ({"NET": "user"}, "run: NET is none, e1000 or e1000e, not 'user'"),
    ({"SMP": "0"}, "run: SMP counts cores, from 1: '0' is none"),
    ({"SMP": "4,sockets=0"}, "run: SMP counts cores, from 1: '4,sockets=0' is none"),
    ({"MEM": "0"}, "run: MEM is an amount of memory such as 256M, not '0'"),
    ({"MEM": "0M"}, "run: MEM is an amount of memory such as 256M, not '0M'"),
])
def test_what_cannot_be(variables, sentence):
    result = run(**variables)
    assert (result.returncode, result.stderr, result.stdout) == (125, f"{sentence}\n", "")


@pytest.mark.parametrize("variables, word", [
    ({"SMP": "many"}, "smp"), ({"MEM": "much"}, "much"), ({"CPU": "no-such-cpu"}, "no-such-cpu"),
    ({"MACHINE": "no-such-machine"}, "machine"), ({"SCREEN": "no-such-screen"}, "no-such-screen")])
def test_what_qemu_refuses(variables, word):
    """Its own words are passed on, and a line of ours says that it was QEMU."""
    result = run(**variables)
    assert result.returncode == 125
    *its, ours = result.stderr.splitlines()
    assert re.fullmatch(r"run: QEMU failed with status 1 \(after \d+\.\d s\)", ours)
    assert word in "\n".join(its) and "Traceback" not in result.stderr


@pytest.mark.parametrize("pick, status, sentence", [
    ("no-such-test", 5, "no test has 'no-such-test' in its name"),
    ("two words", 4, "T='two words' is no pick")], ids=("none", "two"))
def test_picks_without_tests(pick, status, sentence):
    result = tool("test", pick)
    assert result.returncode == status and f"test: {sentence}" in result.stderr


@pytest.mark.parametrize("text", ["$HOME", "$$", "it's", "a;b", "`id`", "a\\b", "#x", '"two words"'])
def test_words_for_the_kernel_arrive_as_typed(text):
    rule = 'show: ; @printf "%s" "$$CMDLINE"'
    assert make("--eval", rule, "show", f"CMDLINE={text}") == text


# ---- the screen's font ---------------------------------------------------------------------------

FONT = Path("/usr/share/grub/unicode.pf2")
CUT = "it ends before its glyphs begin"


@pytest.mark.parametrize("change, words", [
    (lambda font: b"", CUT), (lambda font: font[:100], CUT),
    (lambda font: font[:600000], "a glyph (lies|ends) behind its end"),
    (lambda font: font.replace(b"PFF2", b"PFF3", 1), "does not begin as a PFF2 font does"),
    (lambda font: font.replace(b"ASCE\0\0\0\2\0\x0e", b"ASCE\0\0\0\2\0\x0d", 1), "not 16 pixels high"),
    (lambda font: font.replace(b"\0\0\0\x41\0", b"\0\0\0\x41\1", 1), r"has no U\+0041")])
def test_bad_font_is_refused(tmp_path, change, words):
    (tmp_path / "font.pf2").write_bytes(change(FONT.read_bytes()))
    result = tool("mkfont", "--output", tmp_path / "font.inc", tmp_path / "font.pf2")
    assert result.returncode != 0 and re.search(words, result.stderr), result.stderr
    assert not (tmp_path / "font.inc").exists()


def test_font_is_what_the_package_draws(tmp_path):
    """The letter A, drawn by hand from what grub-mkfont makes of Unifont."""
    assert tool("mkfont", "--output", tmp_path / "font.inc", FONT).returncode == 0
    text = (tmp_path / "font.inc").read_text()
    glyphs = re.search(r"font_glyphs.*?\{\n(.*?)\n\};", text, re.DOTALL)[1].splitlines()
    rows = [int(byte, 16) for byte in re.findall(r"0x(..)", glyphs[ord("A") - ord(" ")])]
    assert [f"{row:08b}".replace("0", ".").replace("1", "#") for row in rows] == [
        "........", "........", "........", "........", "...##...", "..#..#..", "..#..#..",
        ".#....#.", ".#....#.", ".######.", ".#....#.", ".#....#.", ".#....#.", ".#....#.",
        "........", "........"]


# ---- the terminal --------------------------------------------------------------------------------


@pytest.fixture
def colourful(tmp_path):
    """A QEMU that leaves colours behind, and fails."""
    script = tmp_path / "qemu"
    script.write_bytes(b"#!/bin/sh\nprintf '%s'\nexit 3\n" % GREY)
    script.chmod(0o755)
    return str(script)


def test_terminal_gets_its_colours_back(colourful):
    child = pexpect.spawn("tools/run --iso build/carillon.iso", cwd=qemu.ROOT, timeout=60,
                          env={**os.environ, "QEMU": colourful})
    child.expect(pexpect.EOF)
    assert child.before.startswith(GREY + b"\x1b[0m") and b"failed with status 3" in child.before


def test_pipe_gets_what_the_guest_sent(colourful):
    result = run(QEMU=colourful)
    assert result.stdout.encode() == GREY and "status 3" in result.stderr
