# SPDX-License-Identifier: MIT
"""docs/adding-a-system-call.md, followed in a copy of the tree; what it shows of the tree is there."""

import re

import pytest

from pages import copy_of_the_tree, follow
from qemu import BUILD, ROOT

PAGE = ROOT / "docs/adding-a-system-call.md"
QUOTE = re.compile(r"\bIn\s+`([^`]+)`:\n\n```\w*\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_what_the_page_shows_is_there():
    quotes = QUOTE.findall(PAGE.read_text(encoding="utf-8"))
    assert len(quotes) == 3  # the table's line, the function, the stub
    for file, text in quotes:
        path = BUILD / file.removeprefix("build/") if file.startswith("build/") else ROOT / file
        assert f"\n{text}" in path.read_text(encoding="utf-8"), f"{file} has it otherwise"


def test_the_page_can_be_followed():
    tree = copy_of_the_tree("adding-a-call")
    written, typed = follow(tree, PAGE.read_text(encoding="utf-8"))
    assert written == 4 and any("make -s run" in command for command in typed)
    assert "core 0 says: hello from C" in (tree / "build/run/console.log").read_text()
    assert "## 332 say\n" in (tree / "build/gen/system-calls.md").read_text()


@pytest.mark.parametrize("text", [
    "    $ echo one; echo two\n    two\n    one\n", "    $ echo one\n    two\n",
    "    $ true\n    one\n",
    "    $ printf 'carillon$ '; read word; echo got $word\n    carillon$ one\n    got two\n"])
def test_the_page_is_compared(text, tmp_path):
    with pytest.raises(AssertionError, match="where it is due"):
        follow(tmp_path, text)
