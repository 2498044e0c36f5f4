# SPDX-License-Identifier: MIT
"""The console: whole lines, whoever writes, and what the levels hide; words on the command line."""

import re
import string
import subprocess

import pytest

import programs
import qemu
from booting import boot, config_for
from machine import STAMP, grub_iso, output_path, without_stamp
from runs import DEMO, Run, exited

BLOCK = 5000


def stamps(vm):
    return [float(match[0][1:-2]) for line in vm.lines if (match := STAMP.match(line))]


def messages(lines):
    return [without_stamp(line) for line in lines]


# ---- lines ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("smp, extra", [("1", ()), ("2", ()), ("4", ()), ("8", ()),
                                        ("4", ("-accel", "tcg,thread=single"))])
def test_writes_and_log_lines_do_not_break_each_other(smp, extra, machine):
    rounds = 60
    name = f"console-chatter-{smp}{'-single' if extra else ''}"
    vm = boot(Run(name, smp=smp, extra=extra, init=("chatter", f"rounds={rounds}"),
                  expect=["chatter: done", exited(0)]), machine)
    begin = next(i for i, line in enumerate(vm.lines) if line.startswith("<000"))
    blocks = [line for line in vm.lines if "<" in line or ">" in line]
    assert blocks == [f"<{n:03}".ljust(BLOCK - 4, "-") + f"{n:03}>" for n in range(rounds)]
    log = [line for line in vm.lines[begin:] if "Received" in line or "[" in line]
    assert all(re.fullmatch(r"\[ +\d+\.\d{6}\] Received IPI \d(?: \(\d+ rings\))?", line)
               for line in log)
    # a line in pieces is broken at the pieces' ends and nowhere else
    assert [line for line in vm.lines if re.search(r"[{|}]", line)] == ["{one", "|two", "|three}"]


@pytest.mark.parametrize("smp", ["1", "4", "8"])
def test_stamps_do_not_run_back(smp, machine):
    run = Run(f"console-stamps-{smp}", smp=smp, expect=[exited(0)],
              init=("ring", "+50", "50@-1x300", "50@0x300", "-50"))
    seen = stamps(boot(run, machine))
    assert len(seen) > 100 and seen == sorted(seen)


def test_klog_shows_every_byte(machine):
    vm = boot(Run("console-klog", init=("klog",), expect=["klog ends", exited(0)]), machine)
    shown = messages(vm.lines)
    lines = shown[shown.index("klog begins") + 1:shown.index("klog ends")]
    alphabet = string.ascii_lowercase
    assert lines == [
        "plain", "first", "second", "above", "", "below", "",
        r"tab\x09here, bell\x07, escape\x1b[31m, return\x0d, delete\x7f, nul\x00end",
        "\xe4 \ufffd \ufffd",
        "100% %s %d %n",
        "[    0.000000] not a stamp",
        (alphabet * 158)[:4096],
        r"\x01" * 4096]


# ---- levels --------------------------------------------------------------------------------------


@pytest.mark.quick
def test_loglevel_hides_and_the_log_keeps(machine):
    vm = boot(Run("console-loglevel-0", cmdline="loglevel=0", init=("dmesg",),
                  expect=["dmesg: end", exited(0)]), machine)
    begin = next(i for i, line in enumerate(vm.lines) if line.startswith("dmesg: "))
    assert not stamps(vm), "the console shows no log line"
    log = vm.lines[begin + 1:vm.lines.index("dmesg: end")]
    assert all(re.match(r"<[0-7]>\[ *\d+\.\d{6}\] ", line) for line in log)
    assert [line for line in log if line.endswith("] Carillon")]
    for core in range(4):
        assert [line for line in log if re.fullmatch(rf"<6>\[.*\] Received IPI {core}", line)]


@pytest.mark.parametrize("level, shown", [(3, False), (4, True), (5, True), (6, True), (7, True)])
def test_loglevel_shows_up_to_its_own(level, shown, machine):
    """An unknown parameter is a warning, level 4; the greeting is info, level 6."""
    vm = boot(Run(f"console-loglevel-{level}", smp="1", cmdline=f"loglevel={level} quack",
                  init=("status",), expect=[exited(0)]), machine)
    assert ("parameters: unknown quack: passed over" in messages(vm.lines)) == shown
    assert ("Carillon" in messages(vm.lines)) == (level >= 6)


def test_no_console(machine):
    """Without a serial port only QEMU's exit status tells; the kernel does not wait for it."""
    config = config_for(Run("console-none", init=("status", "7")))
    config.serial = ("-serial", "none", "-monitor", "none")
    vm = machine(config, 60)
    assert vm.wait_exit() == 7
    assert vm.output() == ""


# ---- the command line ----------------------------------------------------------------------------

ARGUMENTS = {
    "none": ("", ["/bin/args"]),
    "two": ("-- a b", ["/bin/args", "a", "b"]),
    "empty": ("--", ["/bin/args"]),
    "quoted": ('-- "two words" a\\"b', ["/bin/args", "two words", 'a"b']),
    "like-parameters": ("-- debugexit loglevel=0 init=/bin/none -- -x --y=z",
                        ["/bin/args", "debugexit", "loglevel=0", "init=/bin/none", "--", "-x",
                         "--y=z"]),
    "long": (f"-- {'l' * 3000} x", ["/bin/args", "l" * 3000, "x"]),
    "sixty-four": ("-- " + " ".join(map(str, range(64))), ["/bin/args", *map(str, range(64))]),
}


@pytest.mark.parametrize("case", ARGUMENTS)
def test_arguments_reach_the_program(case, machine):
    text, argv = ARGUMENTS[case]
    vm = boot(Run(f"arguments-{case}", smp="1", cmdline=f"init=/bin/args {text}", init=(),
                  status=len(argv), expect=[exited(len(argv))]), machine, initrd=programs.initrd())
    assert [line for line in vm.lines if line.startswith("argv")] == [
        f"argv[{i}]={word}" for i, word in enumerate(argv)]


@pytest.mark.quick
def test_unknown_parameters_are_said_once(machine):
    run = Run("parameters-unknown", smp="1", cmdline="quack=1 quack=2 Init=/x quack =3 noSmp",
              args=DEMO, expect=[exited(0)])
    vm = boot(run, machine)
    said = [line for line in messages(vm.lines) if line.startswith("parameters:")]
    assert said == [f"parameters: unknown {word}: passed over"
                    for word in ("quack=1", "Init=/x", "=3", "noSmp")]


BAD_VALUES = ("loglevel=8 loglevel=-1 loglevel= loglevel maxcpus=0 maxcpus=x maxcpus=99999999999 "
              "console=ttyS9 console=ttyS0,0 console=ttyS0,7 clock=sundial apic=none ap_dead=0 "
              "ap_dead=99999 ap_dead=1,,2 init_udelay=-1 init_udelay=1000001 nosmp=1 init= "
              "debugexit=2").split()


@pytest.mark.parametrize("half", [BAD_VALUES[::2], BAD_VALUES[1::2]], ids=["even", "odd"])
def test_bad_values_change_nothing(half, machine):
    said = [re.escape(f"parameters: bad value in {word}: passed over") for word in half]
    run = Run(f"parameters-bad-{half[0]}", smp="2", cmdline=" ".join(half), args=DEMO,
              expect=[*said, r"smp: 2 of 2 cores online.*", exited(0)])
    boot(run, machine)


def test_the_later_word_wins(machine):
    run = Run("parameters-twice", cmdline="maxcpus=1 init=/nothing maxcpus=3 init=/init",
              args=DEMO, expect=[r"smp: 3 of 4 cores online.*", exited(0)])
    boot(run, machine)


def test_too_long_a_command_line_is_said(machine):
    words = "debugexit init=/bin/small " + "q=1 " * 1500 + "maxcpus=1"
    config = qemu.Config(iso=grub_iso("long", words, programs.initrd()))
    vm = machine(config, 60)
    vm.wait_line(r"parameters: .*too long.*", r"smp: 4 of 4 cores online.*", exited(0))
    assert vm.wait_exit() == 0


# ---- make run ------------------------------------------------------------------------------------


def run_tool(name, cmdline, initrd):
    """What `make run` does with no terminal, on a disc with other programs."""
    disc = output_path(name, "iso")
    subprocess.run([qemu.ROOT / "tools/mkiso", "--output", disc, "--cmdline",
                    f"debugexit {cmdline}", "--initrd", initrd], check=True)
    return subprocess.run([qemu.ROOT / "tools/run", "--iso", disc], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors="replace", timeout=120,
                          check=False)


@pytest.mark.quick
def test_make_run_demonstrates_and_succeeds():
    result = subprocess.run([qemu.ROOT / "tools/run"], stdin=subprocess.DEVNULL, text=True,
                            capture_output=True, errors="replace", timeout=120, check=False)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "init: exited with status 0" in result.stdout.replace("\r", "").splitlines()
    for core in range(4):
        assert f"Received IPI {core}" in result.stdout


@pytest.mark.parametrize("name, init, status, words", [
    ("status", "init=/bin/status -- 5", 5, "init exited with status 5"),
    ("signal", "init=/bin/fault -- undefined", qemu.STATUS_SIGNAL, "init was killed by a signal"),
    ("panic", "init=/bin/nothing", qemu.STATUS_PANIC, "the kernel panicked"),
])
def test_make_run_says_how_it_failed(name, init, status, words):
    result = run_tool(f"make-run-{name}", init, programs.initrd())
    assert result.returncode == status and words in result.stderr
