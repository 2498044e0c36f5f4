# SPDX-License-Identifier: MIT
"""The programs of user/ in the machine: the procedure's, the shell at its prompt, puta and twice."""

import functools
import os
import re
import shutil
import subprocess

import pexpect
import pytest

import patched
import qemu
from booting import boot, config_for
from machine import STAMP, output_path, without_stamp
from programs import archive, directory, file, run_tool, save
from prompt import PROMPT, Prompt
from qemu import BUILD, ROOT
from runs import PANIC, Run, exited
from witness import core_logs, log_interrupts

# An entry of int 0x80 in `-d int`, with the number in rax.
CALL = re.compile(r"^ *\d+: v=80 .*\nRAX=(\w{16})", re.MULTILINE)
PUTC, EXEC_AP = 323, 326

PROCEDURE = """\
#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>

int main()
{
    syscall(318, 100);
    syscall(317, CORE, 100);
    return 0;
}
"""
# Where it runs, and a line of the log, for the session.
WHERE = """\
#include <carillon.h>
#include <stdio.h>
int main(void) { printf("on core %d\\n", getcore()); return 0; }
"""
NOTE = """\
#include <carillon.h>
#include <string.h>
int main(int argc, char **argv) { return argc == 2 ? klog(argv[1], (int)strlen(argv[1])) : 1; }
"""
# These go on for ever.
FLOOD = """\
#include <carillon.h>
int main(void) { while (send_ipi(0, 100) == 0) continue; return 1; }
"""
NOTES = """\
#include <carillon.h>
int main(void) { while (klog("once more", 9) >= 0) continue; return 1; }
"""
DIES = 'int main(void) { __asm__("hlt"); }\n'


def compiled(name, source):
    """The bytes of a program of that text."""
    text = output_path(f"user-{name}", "c")
    text.write_text(source)
    program = output_path(f"user-{name}", "bin")
    run_tool([BUILD / "carillon-cc", "-O2", text, "-o", program])
    return program.read_bytes()


def test_no_call_is_both_there_and_to_come():
    """What syscalls.tbl has goes from later.tbl."""
    call = re.compile(r"^\d+ +(\w+) +\(", re.MULTILINE)
    there, later = (set(call.findall((ROOT / path).read_text(encoding="utf-8")))
                    for path in ("src/syscall/syscalls.tbl", "user/libcarillon/later.tbl"))
    assert {"klog", "send_ipi"} <= there and later and not there & later


# ---- the procedure -------------------------------------------------------------------------------


@pytest.mark.parametrize("core", range(4))
def test_the_procedure(core, machine):
    """Rows S1 to S6: the ring's message comes from the core that was asked for, exactly once."""
    name = f"procedure-{core}"
    data = save(name, archive(file("init", compiled(name, PROCEDURE.replace("CORE", str(core))))))
    vm = boot(Run(name, expect=[rf"Received IPI {core}", exited(0)]), machine, initrd=data)
    assert sum("Received IPI" in line for line in vm.lines) == 1


def test_the_procedures_program_of_the_archive(machine):
    run = Run("procedure-shipped", cmdline="init=/bin/test", expect=[r"Received IPI 1", exited(0)])
    vm = boot(run, machine)
    assert sum("Received IPI" in line for line in vm.lines) == 1


# ---- without a terminal --------------------------------------------------------------------------

# What `sh -c` is given, and what programs print then; `...` stands for what differs.
LINES = {
    "files": ("echo one > f; echo two >> f; cat < f; cat f f | tail -1; ls -l; ls /nowhere",
              ["one", "two", "two", "drwxr-xr-x ... bin", "...", "-rw-r--r-- ... 8 f",
               "-rwxr-xr-x ... init", "ls: /nowhere: No such file or directory"]),
    "deaths": ("nothing; echo $?; dies; echo $?; sh -c 'exit 7'; echo $?",
               ["sh: nothing: command not found", "127", "sh: dies: killed by signal 11", "139",
                "7"]),
    "cores": ("on 0 where; on 1 where; on 2 where; on 3 where; on 4 where",
              ["on core 0", "on core 1", "on core 2", "on core 3",
               "on: core 4: no such core, or it is not online"]),
    "memory": ("free", ["...total ... used ... free  KiB", "..."]),
    "refused": ("send_ipi 1 100; send_ipi 4 100; send_ipi 1 128; register_ipi 31; unregister_ipi 9;"
                " unregister_ipi 100; register_ipi 100; register_ipi 100", [
                    "send_ipi: core 1, vector 100: nobody has registered the vector there",
                    "send_ipi: core 4, vector 100: no such core ...",
                    "send_ipi: core 1, vector 128: no such core ...",
                    "register_ipi: vector 31: no such vector ...",
                    "unregister_ipi: vector 9: no such vector ...",
                    "unregister_ipi: vector 100: nobody has registered it",
                    "vector 100 is irq ...",
                    "register_ipi: vector 100: it is taken already, on some core at least"]),
}


@pytest.mark.parametrize("case", LINES)
def test_the_shell_with_a_line(case, machine):
    line, shown = LINES[case]
    run = Run(f"shell-{case}", cmdline=f'init=/bin/sh -- -c "{line}"')
    vm = machine(config_for(run, initrd()), run.limit, run.name)
    vm.wait_exit(forbid=run.forbid)
    printed = [line for line in vm.lines if not STAMP.match(line)]
    rest = iter(printed)
    for text in shown:
        pattern = re.escape(text).replace(r"\.\.\.", ".*")
        assert any(re.fullmatch(pattern, line) for line in rest), f"no '{text}' in {printed}"


def test_make_run_after_poweroff():
    """A program may switch the machine off: a good end."""
    result = subprocess.run([ROOT / "tools/run"], stdin=subprocess.DEVNULL, capture_output=True,
                            text=True, errors="replace", timeout=120, check=False,
                            env={**os.environ, "CMDLINE": "init=/bin/sh -- -c poweroff"})
    assert result.returncode == 0, result.stdout + result.stderr
    assert "power off" in result.stdout.replace("\r", "").splitlines()


# ---- at the prompt -------------------------------------------------------------------------------


@functools.cache
def initrd():
    """The programs of user/, and some more."""
    programs = [file(f"bin/{path.name}", path.read_bytes())
                for path in sorted((BUILD / "user").iterdir())]
    more = [file(f"bin/{name}", compiled(name, source)) for name, source in
            (("where", WHERE), ("note", NOTE), ("dies", DIES), ("flood", FLOOD),
             ("notes", NOTES))]
    init = file("init", (BUILD / "user/init").read_bytes())
    return save("user-programs", archive(directory("bin"), *programs, *more, init))


@pytest.fixture
def prompt(machine):
    return Prompt(machine(qemu.Config(kernel=qemu.KERNEL, initrd=initrd(), append="debugexit"),
                          120))


def test_the_demonstration_comes_first(prompt):
    seen = [without_stamp(line) for line in prompt.vm.lines]
    assert any(re.fullmatch(r"demo: vector 100 is irq \d+", line) for line in seen)
    for core in range(4):
        assert any(re.fullmatch(rf"Received IPI {core}(?: \(\d+ rings\))?", line) for line in seen)
    assert prompt.type("register_ipi 100")[0].startswith("vector 100 is irq")  # it was freed


def test_rings_at_the_prompt(prompt):
    """Row S6."""
    (registered,) = prompt.type("register_ipi 100")
    assert re.fullmatch(r"vector 100 is irq \d+", registered)
    for core in range(4):
        if not any("Received" in line for line in prompt.lines_after(f"send_ipi {core} 100")):
            prompt.vm.wait_text(rf"Received IPI {core}\r?\n")  # it came behind the prompt
        assert prompt.last_of_log() == f"Received IPI {core}"
    assert "4 cores rung" in prompt.type("send_ipi -1 100")
    assert "3 cores rung" in prompt.type("send_ipi -2 100")
    assert prompt.type("unregister_ipi 100; echo freed")[-1] == "freed"
    for typed, words in (
            ("send_ipi 1 100", "send_ipi: core 1, vector 100: nobody has registered the vector there"),
            ("send_ipi 4 100", "send_ipi: core 4, vector 100: no such core"),
            ("send_ipi 1 128", "send_ipi: core 1, vector 128: no such core"),
            ("register_ipi 31", "register_ipi: vector 31: no such vector"),
            ("unregister_ipi 100", "unregister_ipi: vector 100: nobody has registered it")):
        lines = prompt.type(typed)
        assert lines[0].startswith(words) and lines[-1] == "[status 1]", lines
    prompt.type("register_ipi 100")
    assert prompt.type("register_ipi 100")[0].startswith("register_ipi: vector 100: it is taken")
    assert prompt.end("poweroff\r") == 0


# What was typed ahead runs right behind its prompt, unless a line of the log comes between.
BEHIND_PROMPT = f"(?:{PROMPT})?"


@pytest.mark.parametrize("program", ["flood", "notes"])
def test_a_flood_of_the_log_leaves_the_shell_its_turn(program, prompt):
    """Three cores ring the fourth, or write to the log, as fast as they can, and the consoles get a
    line for each: the shell answers, on the core that is rung, too."""
    prompt.type("register_ipi 100")
    for core in (1, 2, 3):
        prompt.vm.send(f"on {core} {program} &\r")
        prompt.vm.send("dmesg > log; echo an''swer; on 0 echo an''other\r")
        prompt.vm.wait_line(BEHIND_PROMPT + "answer")
        prompt.vm.wait_line(BEHIND_PROMPT + "another")
    assert prompt.end("poweroff\r") == 0


def test_a_panic_in_a_flood_of_the_log_is_shown(machine):
    """Three cores write to the log as fast as they can; the fourth panics: why, and all of the
    report, comes nevertheless."""
    kernel = patched.that_panics("panic-in-a-flood", "sys_putc")
    prompt = Prompt(machine(qemu.Config(kernel=kernel, initrd=initrd(), append="debugexit"), 120))
    for core in (1, 2, 3):
        prompt.vm.send(f"on {core} notes &\r")
    prompt.vm.send("echo an''swer\r")
    prompt.vm.wait_line(BEHIND_PROMPT + "answer")
    prompt.vm.send("puta\r")
    prompt.vm.wait_line(r"panic: core \d+: .*")
    prompt.vm.wait_line("panic: end of report")
    assert prompt.vm.wait_exit() == qemu.STATUS_PANIC


def test_a_line_of_ones_own(prompt):
    """Row S17: the text that a program gave is the log's last line."""
    prompt.type("note 'hello from a program'")
    assert prompt.last_of_log() == "hello from a program"


def test_files_and_programs_at_the_prompt(prompt):
    assert prompt.type("echo one > f; echo two >> f; cat < f") == ["one", "two"]
    assert prompt.type("cat f f | tail -1") == ["two"]
    assert {"sh", "cat", "send_ipi", "where"} <= set(prompt.type("ls /bin"))
    assert any(re.fullmatch(r"-rwxr-xr-x +\d+ +\d+ init", line) for line in prompt.type("ls -l /"))
    total, used, free = map(int, prompt.type("free")[1].split())
    assert total == used + free and 200 << 10 < total < 256 << 10
    for core in range(4):
        assert prompt.type(f"on {core} where") == [f"on core {core}"]
    assert prompt.type("on 4 where")[0] == "on: core 4: no such core, or it is not online"
    assert prompt.type("nothing") == ["sh: nothing: command not found", "[status 127]"]
    assert prompt.type("dies") == ["sh: dies: killed by signal 11", "[status 139]"]
    assert prompt.type("sh -c 'exit 7'; echo $?") == ["[status 7]", "7"]
    assert prompt.end("\x04") == 0


@pytest.mark.parametrize("keys, status", [("\x04", 0), ("exit 3\r", 3), ("nothing\rexit\r", 120)])
def test_the_end_of_the_shell(keys, status, prompt):
    """The shell took init's place: its end is init's."""
    assert prompt.end(keys) == status
    wanted = 127 if status == 120 else status
    assert f"init: exited with status {wanted}" in prompt.vm.lines


def test_backspace(prompt):
    prompt.vm.send("echo helo\x7flo\r")
    prompt.vm.wait_line("hello", timeout=30)


@pytest.mark.parametrize("keys, status", [("poweroff\r", 0), ("\x04", 0), ("exit 5\r", 5)])
def test_make_run_at_a_terminal(keys, status):
    """Log, demonstration, prompt, end: tools/run with the shipped programs."""
    child = pexpect.spawn(str(ROOT / "tools/run"), cwd=str(ROOT), timeout=120, encoding="utf-8")
    try:
        child.expect(r"demo: vector 100 is irq \d+")
        child.expect(PROMPT)
        child.send("echo hello\r")
        child.expect(r"\nhello\r+\n")
        child.expect(PROMPT)
        child.send(keys)
        child.expect(pexpect.EOF)
    finally:
        child.close()
    assert child.exitstatus == status


# ---- puta and twice ------------------------------------------------------------------------------


def test_twice(machine):
    """Rows S12 and S13: an archive from a list, whose first program starts the other on core 1.

    QEMU's interrupt log has both calls of putc on core 1, and those of exec_ap on another.
    """
    folder = output_path("twice", "d")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    data = folder / "initrd.tar"
    programs = sorted((BUILD / "user").iterdir())
    subprocess.run(["env", "APPS=twice puta", ROOT / "tools/mkinitrd", data, BUILD / "user/init",
                    *programs], check=True, cwd=folder)
    run = Run("twice", expect=[exited(0)])
    log_interrupts(run)
    vm = boot(run, machine, initrd=data)
    assert sum(line.count("A") for line in vm.lines if re.fullmatch("A+", line)) == 2
    calls = [[int(number, 16) for number in CALL.findall(path.read_text(errors="replace"))]
             for path in core_logs("twice")]
    assert [numbers.count(PUTC) for numbers in calls] == [0, 2, 0, 0]
    assert calls[0].count(EXEC_AP) >= 2


# ---- the pages -----------------------------------------------------------------------------------


def test_the_page_about_programs_in_the_machine(machine):
    """docs/programs.md's first program; test_programs.py follows the page on the host."""
    page = (ROOT / "docs/programs.md").read_text(encoding="utf-8")
    shown = re.search(r"^    \$ cat hello.c\n(.*?)^    \$ ", page, re.MULTILINE | re.DOTALL)[1]
    source = re.sub(r"^    ", "", shown, flags=re.MULTILINE)
    data = save("page-hello", archive(file("init", compiled("hello", source))))
    boot(Run("page-hello", expect=[{"4 cores, this is core 0", "Received IPI 1"}, exited(0)]),
         machine, initrd=data)
