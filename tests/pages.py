# SPDX-License-Identifier: MIT
"""Pages of docs/, followed to the letter in a copy of the tree.

What a page says to write is written, in the page's order; what it says to type is typed, and must
print what the page shows.
"""

import os
import re
import shutil
import subprocess
from dataclasses import dataclass

from machine import STAMP, output_path
from qemu import BUILD, ROOT

STEP = re.compile(
    r"^(?P<how>Append to|New file) `(?P<file>[^`]+)`:\n\n```\w*\n(?P<text>.*?)^```$"
    r"|^```\w*\n.*?^```$"  # shown, and not to be done
    r"|(?P<typed>^    \$ [^\n]*\n(?:    [^\n]*\n|\n(?=    ))*)", re.MULTILINE | re.DOTALL)
COPIED = ("Makefile", "linker.ld", "iso", "src", "tools", "user", "tests", "docs")


@dataclass
class Command:
    typed: str
    shown: list

    def check(self, result):
        """Each line shown must come, in this order; `...` stands for any lines, or any words."""
        lines = (STAMP.sub("", line) for line in result.stdout.replace("\r", "").splitlines())
        for shown in self.shown:
            wanted = re.escape(STAMP.sub("", shown)).replace(r"\.\.\.", ".*")
            if shown != "...":
                assert any(re.fullmatch(wanted, line) for line in lines), (
                    f"$ {self.typed}\n{result.stdout}\nhas no line '{shown}' where it is due")


def commands(text):
    found = []
    for line in re.sub(r"^    ", "", text, flags=re.MULTILINE).splitlines():
        if line.startswith("$ "):
            found.append(Command(line[2:], []))
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
    shutil.copytree(BUILD, tree / "build", ignore=shutil.ignore_patterns(
        "test", "debug", "host", "run", "cppcheck"))
    return tree


def write_shown(tree, command):
    """A file that the page shows by `cat` and that is not there: what is shown is its text."""
    match = re.fullmatch(r"cat (\S+)", command.typed)
    if match and not (tree / match[1]).exists():
        (tree / match[1]).write_text("\n".join(command.shown) + "\n")


def follow(tree, text):
    """Do what the text says. Returns: how many files were written, and the commands."""
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "BUILD", "CMDLINE", "SMP")}
    written, typed = 0, []
    for step in STEP.finditer(text):
        if step["file"]:
            file = tree / step["file"]
            before = file.read_text() + "\n" if step["how"] == "Append to" else ""
            assert before or not file.exists(), f"{file} is there already"
            file.write_text(before + step["text"])
            written += 1
        for command in commands(step["typed"] or ""):
            write_shown(tree, command)
            result = subprocess.run(command.typed, shell=True, cwd=tree, env=environment,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                    timeout=300, check=False)
            command.check(result)
            typed.append(command.typed)
    return written, typed
