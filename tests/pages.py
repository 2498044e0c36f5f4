# SPDX-License-Identifier: MIT
"""Pages of docs/, followed to the letter in a copy of the tree.

What a page says to write is written, in the page's order; what it says to type is typed, and must
print what the page shows. Where it shows Carillon's prompt, the command gets a terminal, and what
stands behind the prompt is typed there.
"""

import os
import re
import shutil
import subprocess
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pexpect

from machine import STAMP, output_path, text_of_line
from qemu import BUILD, ROOT

STEP = re.compile(
    r"^(?P<how>Append to|New file) `(?P<file>[^`]+)`:\n\n```\w*\n(?P<text>.*?)^```$"
    r"|^```\w*\n.*?^```$"  # shown, and not to be done
    r"|(?P<typed>^    \$ [^\n]*\n(?:    [^\n]*\n|\n(?=    ))*)", re.MULTILINE | re.DOTALL)
COPIED = ("Makefile", "linker.ld", "iso", "src", "tools", "user", "tests", "docs")
PROMPT = "carillon$ "
LIMIT = 120  # seconds for a command, or for what is due at a prompt

# A line of the log, as the console has it and as dmesg has it.
LOG_LINE = re.compile(rf"(?:<\d>)?{STAMP.pattern}")
# What is another number at another time, or after another change: measured amounts, counts in
# parentheses, addresses, lines of the source (in gdb's form, too).
VARIES = re.compile(r"\b\d+(?:\.\d+)?(?= (?:ms|us|s|kHz|KiB|MiB|bytes|entries)\b)|(?<=\()\d+(?=\))"
                    r"|0x[0-9a-f]{6,}|(?<=\+)\d+(?=>)|(?<=\.c:)\d+|(?<=\.asm:)\d+|(?<=file:)\d+"
                    r"|^\d+(?=\t)|^#\d+ +(?:0x[0-9a-f]+ in )?")


def normal(line):
    return VARIES.sub("N", STAMP.sub("", line))


def lines_of(output):
    return [text_of_line(line) for line in output.split("\n")]


def pattern_of(shown):
    """`...` stands for any words."""
    return re.compile(re.escape(normal(shown)).replace(r"\.\.\.", ".*"))


def missing_log_lines(shown, lines):
    """Lines of the log come in any order among all others: which of `shown` are not there, or not
    as often as they are shown?"""
    come = Counter(normal(line) for line in lines if LOG_LINE.match(line))
    wanted = Counter(normal(line) for line in shown if LOG_LINE.match(line))
    return [text for text, times in wanted.items() if times > sum(
        n for line, n in come.items() if pattern_of(text).fullmatch(line))]


@dataclass
class Command:
    typed: str
    shown: list

    def check(self, output, shown=None):
        """Each line shown must come, in this order, those of the log anywhere; `...` stands for any
        lines, or any words."""
        shown = self.shown if shown is None else shown
        lines = lines_of(output)
        problem = f"$ {self.typed}\n{output}\nwhere it is due it has no line "
        rest = (normal(line) for line in lines)
        for line in shown:
            if line != "..." and not LOG_LINE.match(line):
                assert any(pattern_of(line).fullmatch(text) for text in rest), problem + line
        missing = missing_log_lines(shown, lines)
        assert not missing, problem + missing[0]

    def turns(self):
        """What is shown up to the first prompt, and then (what is typed, what is shown) for each."""
        turns = [(None, [])]
        for line in self.shown:
            if line.startswith(PROMPT):
                turns.append((line.removeprefix(PROMPT), []))
            else:
                turns[-1][1].append(line)
        return turns

    def run(self, tree, environment):
        turns = self.turns()
        if len(turns) > 1:
            self.talk(turns, tree, environment)
            return
        result = subprocess.run(self.typed, shell=True, cwd=tree, env=environment,
                                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, errors="replace",
                                timeout=LIMIT, check=False)
        self.check(result.stdout)

    def talk(self, turns, tree, environment):
        child = pexpect.spawn("/bin/sh", ["-c", self.typed], cwd=str(tree), env=environment,
                              timeout=LIMIT, encoding="utf-8", codec_errors="replace")
        output = ""
        try:
            for number, (typed, shown) in enumerate(turns, 1):
                if typed is not None:
                    child.send(f"{typed}\r")
                child.expect(pexpect.EOF if number == len(turns) else re.escape(PROMPT))
                output = child.before
                while missing := missing_log_lines(shown, lines_of(output)):
                    child.expect(f"{pattern_of(missing[0]).pattern}\r*\n")
                    output += child.before + child.after  # it came behind the prompt
                self.check(output, shown)
        except (pexpect.TIMEOUT, pexpect.EOF) as error:
            raise AssertionError(f"$ {self.typed}\n{PROMPT}{typed}\n{output}{child.before}\n"
                                 f"has not what is due: {shown}") from error
        finally:
            child.close(force=True)


def commands(text):
    """A line that ends in a backslash goes on in the next."""
    found = []
    for line in re.sub(r"^    ", "", text, flags=re.MULTILINE).splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], []))
        elif not found[-1].shown and found[-1].typed.endswith("\\"):
            found[-1].typed += f"\n{line}"
        else:
            found[-1].shown.append(line)
    return found


def copy_of_the_tree(name):
    """With what is built, times and all, so that make has only the page's changes to build."""
    tree = output_path(name, "tree")
    shutil.rmtree(tree, ignore_errors=True)
    tree.mkdir(parents=True)
    for part in COPIED:
        copy = shutil.copytree if (ROOT / part).is_dir() else shutil.copy2
        copy(ROOT / part, tree / part)
    left_out = {"test", "debug", "host", "run", "cppcheck"}
    shutil.copytree(BUILD, tree / "build",
                    ignore=lambda folder, _: left_out if Path(folder) == BUILD else ())
    return tree


def write_shown(tree, command):
    """A file that the page shows by `cat` and that is not there: what is shown is its text."""
    match = re.fullmatch(r"cat (\S+)", command.typed)
    if match and not (tree / match[1]).exists():
        (tree / match[1]).write_text("\n".join(command.shown) + "\n")


def follow(tree, text):
    """Do what the text says. Returns: how many files were written, and the commands."""
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "MAKELEVEL", "MFLAGS", "BUILD", "CMDLINE", "SMP")}
    written, typed = 0, []
    for step in STEP.finditer(text):
        if step["file"]:
            file = tree / step["file"]
            before = file.read_text() + "\n" if step["how"] == "Append to" else ""
            assert before or not file.exists(), f"{file} is there already"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(before + step["text"])
            written += 1
        for command in commands(step["typed"] or ""):
            write_shown(tree, command)
            command.run(tree, environment)
            typed.append(command.typed)
    return written, typed
