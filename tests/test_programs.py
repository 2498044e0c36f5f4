# SPDX-License-Identifier: MIT
"""carillon-cc, the small programs of user/ on the host, and the archives that `make initrd` makes.

Programs that use Linux's calls alone are ordinary static Linux programs, so what they do is tried
here. Nothing that goes through int 0x80 is: there it would be a 32-bit call of the host's.
"""

import os
import re
import shutil
import signal
import subprocess
import tarfile

import pexpect
import pytest

from machine import output_path
from pages import copy_of_the_tree, follow
from programs import run_tool
from qemu import BUILD, ROOT

CARILLON_CC = BUILD / "carillon-cc"
STRICT = ["-O2", "-Wall", "-Wextra", "-Werror"]
PROCEDURE = """\
#include <stdio.h>
#include <unistd.h>
#include <sys/syscall.h>

int main()
{
    syscall(318, 100);
    syscall(317, 1, 100);
    return 0;
}
"""
HELLO = '#include <stdio.h>\nint main(void) { printf("hello %.2f\\n", 1.5); return 0; }\n'


@pytest.fixture
def folder(request):
    path = output_path(request.node.name, "d")
    shutil.rmtree(path, ignore_errors=True)
    path.mkdir(parents=True)
    return path


def cc(*words, cwd=None, compiler=CARILLON_CC, **more):
    return subprocess.run([compiler, *map(str, words)], cwd=cwd, capture_output=True, text=True,
                          check=False, **more)


def compiled(folder, source, *options, name="program", suffix=".c", compiler=CARILLON_CC):
    """The path of a program made from this text, without a word of the compiler's."""
    text = folder / f"{name}{suffix}"
    text.write_text(source)
    result = cc(*options, text.name, "-o", name, cwd=folder, compiler=compiler)
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
    return folder / name


def output_of(*command, status=0, **more):
    result = subprocess.run(list(map(str, command)), capture_output=True, text=True, check=False,
                            timeout=60, **more)
    assert result.returncode == status, result.stdout + result.stderr
    return result.stdout


def disassembly(program, symbol):
    text = run_tool(["objdump", "-d", "--no-show-raw-insn", program])
    found = re.search(rf"^\w+ <{symbol}>:\n((?:.+\n|\n\w+ <{symbol}\..*\n)*)", text, re.MULTILINE)
    assert found, f"no {symbol} in {program}"
    return found[1]


# ---- carillon-cc ---------------------------------------------------------------------------------


@pytest.mark.quick
def test_the_procedures_program(folder):
    """It compiles as it stands, is static, and its syscall() has both gates."""
    program = compiled(folder, PROCEDURE, *STRICT)
    headers = run_tool(["readelf", "-lhW", program])
    assert "EXEC (Executable file)" in headers and "INTERP" not in headers
    assert not re.search(r"LOAD.* RWE ", headers) and not re.search(r"GNU_STACK.* RWE ", headers)
    code = disassembly(program, "syscall")
    for number in (283, 317, 318):
        assert f"cmp    ${number:#x},%rax" in code
    assert re.findall(r"int    \$0x80|syscall$", code, re.MULTILINE) == ["syscall", "int    $0x80"]


def test_without_carillon_it_is_plain_musl(folder):
    """Byte for byte, and for other options than the usual too."""
    for options in ([], ["-O2", "-g", "-ffunction-sections", "-Wl,--gc-sections"], ["-pthread"]):
        mine = compiled(folder, HELLO, *options).read_bytes()
        plain = compiled(folder, HELLO, "-static", *options, compiler="musl-gcc").read_bytes()
        assert mine == plain, options
    assert output_of(folder / "program") == "hello 1.50\n"


def test_syscall_takes_linux_gate_for_linux_numbers(folder):
    """With six arguments, through a pointer, with errno: all numbers here are the host's."""
    program = compiled(folder, r"""
#define _GNU_SOURCE
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

int main(void)
{
    long (*volatile call)(long, ...) = syscall;
    char *page = (char *)syscall(SYS_mmap, 0L, 4096L, (long)(PROT_READ | PROT_WRITE),
                                 (long)(MAP_PRIVATE | MAP_ANONYMOUS), -1L, 0L);
    strcpy(page, "mapped\n");
    long written = call(SYS_write, 1, page, 7);
    errno = 0;
    long failed = call(SYS_close, 12345);
    printf("%ld %ld %d %d\n", written, failed, errno == EBADF, call(SYS_getpid) == getpid());
    return 0;
}
""", *STRICT)
    assert output_of(program) == "mapped\n7 -1 1 1\n"


def test_a_program_may_have_the_names_for_itself(folder):
    program = compiled(folder, """
#include <stdio.h>
long syscall(long number, ...) { return number + 1; }
int klog(const char *text, int len) { return printf("%s %d\\n", text, len); }
int ncores(void);
int main(int argc, char **argv) {
    (void)argv;
    return argc > 5 ? ncores() : syscall(317) != 318 || klog("own", 3) != 6;
}
""", *STRICT)
    assert output_of(program) == "own 3\n"


@pytest.mark.parametrize("name, number, moves", [
    ("send_ipi", 317, ["mov %rdi,%rbx", "mov %rsi,%rcx"]),
    ("register_ipi", 318, ["mov %rdi,%rbx"]),
    ("ipi_wait", 321, ["mov %rdi,%rbx", "mov %rsi,%rcx"]),
    ("carillon_putc", 323, ["mov %rdi,%rbx"]),
    ("carillon_exec", 324, ["mov %rdi,%rbx"]),
    ("exec_ap", 326, ["mov %rdi,%rbx", "mov %rsi,%rcx"]),
    ("rcv_frame", 327, ["mov %rdi,%rbx", "mov %rsi,%rcx"]),
    ("getcore", 329, []),
])
def test_stub(name, number, moves, folder):
    """From C's registers to the gate's; the result goes to carillon_result, rbx is kept."""
    program = compiled(folder, f"""
#include <carillon.h>
int main(void) {{ return (int)(long){name}; }}
""", "-Wno-pointer-to-int-cast")
    lines = [re.sub(r"\s+", " ", line.split("\t", 1)[1]).strip()
             for line in disassembly(program, name).splitlines() if "\t" in line]
    lines = lines[:next(i for i, line in enumerate(lines) if line.startswith("jmp")) + 1]
    keeps = bool(moves)
    assert lines == [*["push %rbx"] * keeps, *moves, f"mov ${number:#x},%eax", "int $0x80",
                     *["pop %rbx"] * keeps, "mov %rax,%rdi",
                     lines[-1]] and "<carillon_result>" in lines[-1]


def test_result_and_errno(folder):
    """carillon_result, with numbers that a gate may return."""
    program = compiled(folder, """
#include <errno.h>
#include <stdio.h>
long carillon_result(long);
int main(void) {
    static const long results[] = {0, 7, -1, -38, -4095, -4096, 1L << 40, -(1L << 40)};
    for (int i = 0; i < 8; i++) {
        errno = 0;
        long result = carillon_result(results[i]);
        printf("%ld/%d ", result, errno);
    }
    puts("");
    return 0;
}
""", *STRICT)
    assert output_of(program) == (
        "0/0 7/0 -1/1 -1/38 -1/4095 -4096/0 1099511627776/0 -1099511627776/0 \n")


HEADER = re.compile(r"^(?:int|long) (\w+)\(", re.MULTILINE)
CONTRACT = {"send_ipi", "register_ipi", "unregister_ipi", "ipi_handler", "ipi_wait", "exec_ap",
            "enq_task", "snd_frame", "rcv_frame", "klog", "getcore", "ncores", "ncores_online",
            "carillon_exec", "carillon_putc"}


def test_header_has_the_contracts_functions():
    assert set(HEADER.findall((BUILD / "sdk/include/carillon.h").read_text())) == CONTRACT


@pytest.mark.parametrize("compiler, standard", [
    ("gcc", "c99"), ("gcc", "c17"), ("clang++", "c++11"), ("clang++", "c++20")])
def test_header_alone(compiler, standard, folder):
    """In C and C++, without a warning, and twice over; in C++ the names are C's."""
    uses = ", ".join(f"(void *){name}" for name in sorted(CONTRACT))
    source = folder / ("header.cpp" if "++" in compiler else "header.c")
    source.write_text(f"#include <carillon.h>\n#include <carillon.h>\nvoid *all[] = {{{uses}}};\n")
    made = folder / "header.o"
    run_tool([compiler, f"-std={standard}", "-Wall", "-Wextra", "-Werror", "-I",
              BUILD / "sdk/include", "-c", source, "-o", made])
    undefined = set(re.findall(r" U (\S+)$", run_tool(["nm", made]), re.MULTILINE))
    assert undefined - {"_GLOBAL_OFFSET_TABLE_"} == CONTRACT


def test_options_go_through(folder):
    """-E, -S, -c, -D, -I, several files, assembly, an archive, -x from the standard input."""
    (folder / "own dir").mkdir()
    (folder / "own dir/own.h").write_text("int helper(void);\n")
    (folder / "main.c").write_text("#include <own.h>\n#include <carillon.h>\n"
                                   "int main(void) { return helper() - VALUE; }\n")
    (folder / "helper.s").write_text(".globl helper\nhelper: mov $42, %eax\nret\n"
                                     ".section .note.GNU-stack,\"\",@progbits\n")
    own = ["-I", "own dir", "-DVALUE=42", *STRICT]
    assert "int send_ipi(int core, int vector);" in cc(*own, "-E", "main.c", cwd=folder).stdout
    for words in (["-S", *own, "main.c", "-o", "main.S.out"], ["-c", *own, "main.c"],
                  ["-c", "helper.s"], ["main.o", "helper.o", "-o", "one"],
                  [*own, "main.c", "helper.s", "-o", "two"]):
        result = cc(*words, cwd=folder)
        assert (result.returncode, result.stdout, result.stderr) == (0, "", ""), words
    assert "call\thelper" in (folder / "main.S.out").read_text()
    run_tool(["ar", "rcs", folder / "libown.a", folder / "helper.o"])
    assert cc("main.o", "-L.", "-lown", "-o", "three", cwd=folder).returncode == 0
    for name in ("one", "two", "three"):
        output_of(folder / name)
    assert cc("-x", "c", "-", "-o", "four", cwd=folder, input=HELLO).returncode == 0
    assert output_of(folder / "four") == "hello 1.50\n"


def test_what_it_says_when_something_is_wrong(folder):
    assert "no input files" in cc().stderr
    result = cc("missing.c", cwd=folder)
    assert result.returncode == 1 and "missing.c: No such file or directory" in result.stderr
    (folder / "bad.c").write_text("int main(void) { return nothing; }\n")
    result = cc("bad.c", "-o", "bad", cwd=folder)
    assert result.returncode == 1 and "bad.c:1:" in result.stderr
    assert not (folder / "bad").exists()


def test_without_musl_gcc(folder):
    """The tools that the script itself needs, and no more."""
    for name in ("sh", "dirname", "readlink"):
        (folder / name).symlink_to(shutil.which(name))
    result = cc("x.c", env={"PATH": str(folder)})
    assert result.returncode == 1 and "install the packages musl-tools and musl-dev" in result.stderr


def test_from_anywhere(folder):
    """A folder with blanks, a comma and a quote; called absolutely, relatively, by PATH and link."""
    home = folder / "a blank, and it's so"
    shutil.copytree(BUILD / "sdk", home / "sdk")
    shutil.copy(CARILLON_CC, home / "carillon-cc")
    work = folder / "work"
    work.mkdir()
    (work / "link").symlink_to(home / "carillon-cc")
    (work / "main.c").write_text("#include <carillon.h>\nint main(void) { return ncores(); }\n")
    path = {**os.environ, "PATH": f"{home}:{os.environ['PATH']}"}
    made = []
    for i, compiler in enumerate((home / "carillon-cc", f"../{home.name}/carillon-cc", "./link",
                                  "carillon-cc")):
        result = subprocess.run([compiler, "main.c", "-o", f"made{i}"], cwd=work, env=path,
                                capture_output=True, text=True, check=False)
        assert (result.returncode, result.stderr) == (0, ""), compiler
        made.append((work / f"made{i}").read_bytes())
    assert len(set(made)) == 1


def test_the_page_about_programs():
    """docs/programs.md, which builds what it shows and makes archives of it."""
    tree = copy_of_the_tree("programs-page")
    _, typed = follow(tree, (ROOT / "docs/programs.md").read_text(encoding="utf-8"))
    assert len(typed) == 12
    assert output_of(tree / "plain", status=7) == ""


# ---- the programs, on the host -------------------------------------------------------------------

PROGRAMS = BUILD / "user"


def shell(text, cwd, status=0):
    """What the shell and its programs say to these lines: (standard output, standard error)."""
    with subprocess.Popen([PROGRAMS / "sh"], cwd=cwd, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True, env={"PATH": str(PROGRAMS)},
                          start_new_session=True) as process:
        try:
            output, errors = process.communicate(text, timeout=60)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)  # its programs too
            raise
    assert process.returncode == status, output + errors
    return output, errors


SHELL_LINES = {
    # what is typed: what comes
    "echo a  b\tc": "a b c\n",
    """echo 'a  b' "c  d" e\\ \\ f ''""": "a  b c  d e  f \n",
    """echo '"' "'" '$?' "$?" $? a$?b "\\"\\$?" """: "\" ' $? 0 0 a0b \"$?\n",
    "echo one # not this": "one\n",
    "echo a#b '#'": "a#b #\n",
    "": "", "   \t": "", "# nothing": "",
    "echo a;echo b ; echo c;": "a\nb\nc\n",
    "echo to a file > f; cat f": "to a file\n",
    "echo one>f;echo two>>f;cat<f": "one\ntwo\n",
    "> f echo front; cat < f": "front\n",
    "echo long text > f; echo x > f; cat f": "x\n",
    "echo a b c | cat": "a b c\n",
    "cat < f | tail -1 > g; cat g": "last\n",
    "cat 'f' f | tail -3": "last\nfirst\nlast\n",
    "cd sub; cat ../f; cd ..; cat f": "first\nlast\nfirst\nlast\n",
    "cd /; cd; cat nothing-there; echo $?": "1\n",
    "sh -c 'exit 7'; echo $?; echo $?": "7\n0\n",
    "sh -c 'exit 300' | cat; echo $?": "0\n",
    "cat f | sh -c 'exit 3'; echo $?": "3\n",
    "nothing-of-this-name; echo $?": "127\n",
    "./f; echo $?": "126\n",
    "cat nothing; exit; echo no": "",
}


@pytest.mark.parametrize("typed", SHELL_LINES)
def test_shell(typed, folder):
    (folder / "f").write_text("first\nlast\n")
    (folder / "sub").mkdir()
    status = 1 if "exit;" in typed else 0
    assert shell(typed + "\n", folder, status)[0] == SHELL_LINES[typed]
    assert shell(typed, folder, status)[0] == SHELL_LINES[typed]  # the last line has no end


COMPLAINTS = {
    "nothing-of-this-name": (127, "sh: nothing-of-this-name: command not found"),
    "./f": (126, "sh: ./f: Permission denied"),
    "cat < missing": (1, "sh: missing: No such file or directory"),
    "echo x > missing/f": (1, "sh: missing/f: No such file or directory"),
    "echo 'a": (2, "sh: a ' without its partner"),
    'echo "a': (2, 'sh: a " without its partner'),
    "| cat": (2, "sh: a command is missing"), "echo |": (2, "sh: a command is missing"),
    "&": (2, "sh: a command is missing"), ";": (2, "sh: a command is missing"),
    "> f": (2, "sh: a command is missing"),
    "echo >": (2, "sh: no file name behind >"), "cat < | cat": (2, "sh: no file name behind <"),
    "echo | cat | cat": (2, "sh: more than one |"),
    "echo " + "w " * 300: (2, "sh: more than 256 words"),
    "cd missing": (1, "sh: cd: missing: No such file or directory"),
    "cd a b": (1, "sh: cd: a: one directory at a time"),
    "exit x": (2, "sh: exit: usage: exit [STATUS]"),
    "exit 3 4": (2, "sh: exit: usage: exit [STATUS]"),
    "./dies": (128 + 11, "sh: ./dies: killed by signal 11"),
    "./dies | cat; exit $?": (0, "sh: ./dies: killed by signal 11"),
    "cat f | ./dies": (128 + 11, "sh: ./dies: killed by signal 11"),
}


@pytest.mark.parametrize("typed", COMPLAINTS, ids=lambda typed: typed[:20])
def test_shell_complains(typed, folder):
    (folder / "f").write_text("text\n")
    compiled(folder, "int main(void) { __asm__(\"hlt\"); }\n", name="dies")
    status, words = COMPLAINTS[typed]
    assert shell(typed + "\n", folder, status) == ("", words + "\n")
    # and it goes on
    if not typed.endswith("$?"):
        assert shell(f"{typed}\necho $?\n", folder)[0] == f"{status}\n"


def test_shell_in_the_background(folder):
    """The shell goes on while its program waits for somebody to open the other end."""
    os.mkfifo(folder / "fifo")
    assert shell("cat fifo & echo not waiting\necho through > fifo\n", folder) == (
        "not waiting\nthrough\n", "")


def test_the_background_does_not_read_from_the_shells_input():
    """Else it takes what is typed for the shell, and changes the terminal's modes under it."""
    reading, writing = os.pipe()
    try:
        made = subprocess.run([PROGRAMS / "sh", "-c", "cat &"], stdin=reading, capture_output=True,
                              check=True, timeout=30, env={"PATH": str(PROGRAMS)})
    finally:
        os.close(writing)
        os.close(reading)
    assert (made.stdout, made.stderr) == (b"", b"")


def test_producer_without_a_consumer(folder):
    """Nobody but the consumer holds the pipe's reading end: the producer ends with it."""
    compiled(folder, """
#include <unistd.h>
int main(void) { while (write(1, "y", 1) == 1) continue; }
""", name="yes")
    assert shell("./yes | sh -c 'exit 3'; echo $?\n", folder) == (
        "3\n", "sh: ./yes: killed by signal 13\n")


def test_shell_with_a_long_line(folder):
    """No line is too long, and `$?` grows in its place."""
    text = "echo " + "x" * 100000 + "$?" * 1000
    assert shell(f"sh -c 'exit 255'\n{text}\n", folder)[0] == "x" * 100000 + "255" * 1000 + "\n"


def test_shell_at_a_terminal(folder):
    """Prompt, status, death, and ^D."""
    child = pexpect.spawn(str(PROGRAMS / "sh"), cwd=str(folder), timeout=30, encoding="utf-8",
                          env={"PATH": str(PROGRAMS), "TERM": "dumb"})
    for typed, comes in (("echo hello", "\r\nhello\r\n"), ("nothing", r"\[status 127\]\r\n"),
                         ("cat < nothing &", r"\[\d+\]\r\n")):
        child.expect_exact("carillon$ ")
        child.sendline(typed)
        child.expect(comes)
    child.expect_exact("carillon$ ")
    child.sendeof()
    child.expect(pexpect.EOF)
    child.close()
    assert child.exitstatus == 0


def test_cat(folder):
    big = bytes(range(256)) * 1000
    (folder / "big").write_bytes(big)
    made = subprocess.run([PROGRAMS / "cat", "big", "-", "big"], cwd=folder, input=b"between",
                          capture_output=True, check=True)
    assert made.stdout == big + b"between" + big
    made = subprocess.run([PROGRAMS / "cat", "missing", ".", "big"], cwd=folder,
                          capture_output=True, check=False)
    assert (made.returncode, made.stdout) == (1, big)
    assert made.stderr.decode() == ("cat: missing: No such file or directory\n"
                                    "cat: .: Is a directory\n")


@pytest.mark.parametrize("lines, given, comes", [
    ("-2", "a\nb\nc\n", "b\nc\n"), ("-2", "a\nb\nc", "b\nc"), ("-5", "a\nb\n", "a\nb\n"),
    ("-1", "", ""), ("-0", "a\n", ""), ("-1", "a\n\n", "\n"),
    (None, "".join(f"{i}\n" for i in range(30)), "".join(f"{i}\n" for i in range(20, 30)))])
def test_tail(lines, given, comes, folder):
    (folder / "f").write_text(given)
    words = [PROGRAMS / "tail", *([lines] if lines else [])]
    assert output_of(*words, input=given) == comes
    assert output_of(*words, folder / "f") == comes


@pytest.mark.parametrize("words, status, sentence", [
    (["tail", "-x"], 2, "usage: tail [-N] [FILE]"), (["tail", "a", "b"], 2, "usage: tail [-N] [FILE]"),
    (["tail", "missing"], 1, "tail: missing: No such file or directory"),
    (["ls", "missing"], 1, "ls: missing: No such file or directory"),
    (["sh", "x"], 2, "sh: usage: sh [-c LINE]"),
    (["send_ipi", "1"], 2, "usage: send_ipi CORE VECTOR"),
    (["send_ipi", "1", "x"], 2, "usage: send_ipi CORE VECTOR"),
    (["register_ipi", "1000000000000"], 2, "usage: register_ipi VECTOR"),
    (["unregister_ipi"], 2, "usage: unregister_ipi VECTOR"),
    (["on", "0"], 2, "usage: on CORE PROGRAM [ARGUMENTS]"),
    (["on", "-1", "echo"], 1, "on: core -1: no such core, or it is not online"),
    (["on", "1023", "echo"], 1, "on: core 1023: no such core, or it is not online"),
    (["on", "0", "nothing"], 127, "on: nothing: No such file or directory"),
    (["cores", "x"], 2, "usage: cores"),
    (["irqtop", "-d", "0"], 2, "usage: irqtop [-d SECONDS] [-n COUNT]"),
    (["keys", "a", "b"], 2, "usage: keys [TERMINAL]"),
    (["keys", "/dev/null"], 1, "keys: /dev/null: no keyboard there"),
    (["rtc", "64", "-1"], 2, "usage: rtc [HZ [SECONDS]]"),
    (["frames", "-c", "0"], 2, "usage: frames [-c COUNT] [-x]"),
    (["echoframes", "0"], 2, "usage: echoframes [COUNT]"),
    (["arping", "-w", "0", "10.0.2.2"], 2, "usage: arping [-c COUNT] [-w MS] [-s OWN] HOST"),
    (["arping", "10.0.2"], 2, "arping: 10.0.2: not an IPv4 address; names are not looked up"),
    (["ping", "gateway"], 2, "ping: gateway: not an IPv4 address; names are not looked up"),
    (["ping", "10.0.2.256"], 2, "ping: 10.0.2.256: not an IPv4 address; names are not looked up"),
    (["ping", "+1.2.3.4"], 2, "ping: +1.2.3.4: not an IPv4 address; names are not looked up"),
])
def test_wrong_words(words, status, sentence, folder):
    result = subprocess.run([PROGRAMS / words[0], *words[1:]], cwd=folder, capture_output=True,
                            text=True, check=False, env={"PATH": str(PROGRAMS)})
    assert (result.returncode, result.stdout, result.stderr) == (status, "", sentence + "\n")


def test_a_full_device():
    with open("/dev/full", "w", encoding="ascii") as full:
        for words in (["echo", "x"], ["ls", "/"], ["tail", "/etc/passwd"], ["cat", "/etc/passwd"]):
            result = subprocess.run([PROGRAMS / words[0], *words[1:]], stdout=full, check=False,
                                    stderr=subprocess.DEVNULL)
            assert result.returncode == 1, words


def test_on(folder):
    core = max(os.sched_getaffinity(0))
    program = compiled(folder, """
#define _GNU_SOURCE
#include <sched.h>
#include <stdio.h>
int main(int argc, char **argv) {
    cpu_set_t set;
    sched_getaffinity(0, sizeof(set), &set);
    printf("%d %d %s\\n", CPU_COUNT(&set), sched_getcpu(), argv[argc - 1]);
}
""")
    assert output_of(PROGRAMS / "on", core, program, "word") == f"1 {core} word\n"


def test_ls(folder):
    (folder / "b").write_text("12345")
    (folder / "a").mkdir(mode=0o755)
    (folder / ".hidden").write_text("")
    (folder / "c").symlink_to("b")
    (folder / "b").chmod(0o4640)
    os.mkfifo(folder / "d", 0o600)
    ls = PROGRAMS / "ls"
    assert output_of(ls, cwd=folder) == output_of(ls, folder) == "a\nb\nc\nd\n"
    assert output_of(ls, "b", "a", cwd=folder) == "b:\nb\na:\n"
    lines = [line.split(None, 3) for line in output_of(ls, "-l", cwd=folder).splitlines()]
    assert [line[0] for line in lines] == ["drwxr-xr-x", "-rw-r-----", "lrwxrwxrwx", "prw-------"]
    assert [line[3] for line in lines] == ["a", "b", "c -> b", "d"]
    assert lines[1][1:3] == ["1", "5"]


def test_free():
    kib = {name: int(value) for name, value in re.findall(
        r"^(\w+): +(\d+) kB", open("/proc/meminfo", encoding="ascii").read(), re.MULTILINE)}
    head, numbers = output_of(PROGRAMS / "free").splitlines()
    assert head.split() == ["total", "used", "free", "KiB"]
    total, used, free = map(int, numbers.split())
    assert total == kib["MemTotal"] and used + free == total
    assert abs(free - kib["MemFree"]) < total / 10  # others use it meanwhile


# ---- make initrd ---------------------------------------------------------------------------------


def mkinitrd(folder, apps, *programs, status=0):
    """What tools/mkinitrd says, and the archive's members, {name: (mode, bytes)}."""
    output = folder / "initrd.tar"
    result = subprocess.run(
        [ROOT / "tools/mkinitrd", output, PROGRAMS / "init",
         *(programs or sorted(PROGRAMS.iterdir()))],
        cwd=folder, capture_output=True, text=True, check=False,
        env={**os.environ, "APPS": apps, "SOURCE_DATE_EPOCH": "1704067200"})
    assert result.returncode == status, result.stdout + result.stderr
    if status != 0:
        assert not output.exists()
        return result.stderr, {}
    with tarfile.open(output) as tar:
        members = {m.name: (m.mode, tar.extractfile(m).read() if m.isfile() else None)
                   for m in tar.getmembers()}
        assert {(m.uid, m.gid, m.uname, m.mtime) for m in tar.getmembers()} == {
            (0, 0, "", 1704067200)}
    return result.stderr, members


def test_archive_of_all_programs(folder):
    _, members = mkinitrd(folder, "")
    names = {path.name for path in PROGRAMS.iterdir()}
    assert set(members) == {"init", "bin", *(f"bin/{name}" for name in names)}
    assert members["init"] == members["bin/init"]
    assert {mode for mode, _ in members.values()} == {0o755}


def test_archive_of_applications(folder):
    """They go into /, the first is /init too; a file given by its path is taken as it is."""
    _, members = mkinitrd(folder, "twice puta")
    assert set(members) == {"init", "twice", "puta"} and members["init"] == members["twice"]
    (folder / "data").write_text("some data\n")
    (folder / "data").chmod(0o600)
    program = compiled(folder, HELLO, "-g", name="my-program")
    _, members = mkinitrd(folder, f"./my-program puta  {folder}/data")
    assert members["my-program"] == members["init"] == (0o755, program.read_bytes())
    assert members["data"] == (0o644, b"some data\n")
    assert set(mkinitrd(folder, "init")[1]) == {"init"}
    (folder / "init").symlink_to(program)
    assert mkinitrd(folder, "./init")[1] == {"init": (0o755, program.read_bytes())}


@pytest.mark.parametrize("apps, sentence", [
    ("twise puta", "APPS: no program 'twise'. There are: .*cat.* unregister_ipi. The path of .*"),
    ("twice ./missing", "APPS: no file ./missing"), ("twice /tmp", "APPS: /tmp is not a file"),
    ("twice /", "APPS: / is not a file"), ("puta twice puta", "APPS: two of them would be /puta"),
    ("puta init", "APPS: two of them would be /init: the first, and the one named so"),
    ("./text puta", "APPS: ./text would be /init, but is no program that can be executed"),
    ("./object puta", "APPS: ./object would be /init, but is no program that can be executed"),
    ("./*", r"APPS: no file ./\*"), ("-x", "APPS: no program '-x'. .*"),
])
def test_archive_that_cannot_be(apps, sentence, folder):
    (folder / "text").write_text("#!/bin/sh\n")
    (folder / "text").chmod(0o755)
    shutil.copy(PROGRAMS / "puta", folder / "object")
    (folder / "object").chmod(0o644)
    said, _ = mkinitrd(folder, apps, status=1)
    assert re.fullmatch(f"mkinitrd: {sentence}\n", said)


def test_archive_without_init(folder):
    said, _ = mkinitrd(folder, "", PROGRAMS / "cat", status=1)
    assert re.fullmatch("mkinitrd: no .*/user/init: the archive would have no /init\n", said)


def test_archive_is_the_same_again(folder):
    """Whatever the files' times and the umask are."""
    first, second = folder / "first", folder / "second"
    made = []
    for place, mask in ((first, 0o022), (second, 0o077)):
        place.mkdir()
        old = os.umask(mask)
        try:
            mkinitrd(place, "twice puta")
            made.append((place / "initrd.tar").read_bytes())
        finally:
            os.umask(old)
    assert made[0] == made[1]


def test_make_initrd_takes_apps(folder):
    """By the Makefile's own rule, and with nothing left of the list the next time."""
    built = folder.relative_to(ROOT)

    def members(*words):
        environment = {key: value for key, value in os.environ.items() if key != "MAKEFLAGS"}
        subprocess.run(["make", "-s", f"B={built}", *words, f"{built}/initrd.tar"], cwd=ROOT,
                       env=environment, check=True, capture_output=True)
        with tarfile.open(folder / "initrd.tar") as tar:
            return tar.getnames()

    shutil.copytree(BUILD, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(
        "test", "debug", "host", "*.iso", "*.elf"))
    assert members("APPS=twice puta") == ["init", "puta", "twice"]
    assert members("APPS=puta ./README.md") == ["README.md", "init", "puta"]
    assert "bin/" not in members("APPS=puta") and "bin" in members()
