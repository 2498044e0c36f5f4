# SPDX-License-Identifier: MIT
"""The pages whose commands are run, and what else a page says that can be held against the tree."""

import re

import pytest

from pages import copy_of_the_tree, follow
from qemu import DEBUG_KERNEL, KERNEL, ROOT

# Each block of commands of these is typed, in a copy of the tree, and prints what the page shows.
FOLLOWED = ["procedure", "from-printf-to-the-wire", "from-the-wire-to-the-work",
            "application-processors", "source-tree", "frames"]
# Of these, the sections that begin with such a heading.
SECTIONS = [("building-and-running", "make run"), ("boot-contract", "A menu entry"),
            ("parameters", "Examples"), ("system-call-gate", "The call by hand")]
TYPED = re.compile(r"^    \$ ", re.MULTILINE)
# What a Japanese page has in common with the English one: all that is typed and printed.
BLOCK = re.compile(r"^```\w*\n.*?^```$|^    [^\n]*(?:\n(?:    [^\n]*)?(?=\n))*",
                   re.MULTILINE | re.DOTALL)
SAME_BLOCKS = ["procedure", "building-and-running", "usb-stick"]


def page(name):
    return (ROOT / "docs" / f"{name}.md").read_text(encoding="utf-8")


def section(name, heading):
    return re.search(rf"^## {heading}\n(.*?)(?=^## |\Z)", page(name), re.MULTILINE | re.DOTALL)[1]


@pytest.mark.parametrize("name, heading", [*((name, None) for name in FOLLOWED), *SECTIONS])
def test_the_page_can_be_followed(name, heading):
    if name.startswith("from-") and KERNEL == DEBUG_KERNEL:
        pytest.skip("the page shows the plain kernel's calls; in the debug kernel others are inlined")
    text = section(name, heading) if heading else page(name)
    _, typed = follow(copy_of_the_tree(f"page-{name}"), text)
    assert typed and len(typed) == len(TYPED.findall(text))


@pytest.mark.parametrize("name", SAME_BLOCKS)
def test_the_japanese_page_shows_the_same(name):
    blocks = [[block.rstrip() for block in BLOCK.findall(page(path))]
              for path in (name, f"ja/{name}")]
    assert blocks[0] == blocks[1] and len(blocks[0]) > 3


@pytest.mark.parametrize("name", ["README.md", "README.ja.md"])
def test_what_readme_shows_comes(name):
    """`make run` without a terminal, of which the page gives the last lines, and with one."""
    text = (ROOT / name).read_text(encoding="utf-8")
    (alone,), (typed,) = (re.findall(rf"^    {begin}.*?^    {end}$", text, re.MULTILINE | re.DOTALL)
                          for begin, end in ((r"\[", "init: exited with status 0"),
                                             (r"carillon\$ ", "power off")))
    follow(copy_of_the_tree(name), f"    $ make -s run </dev/null\n{alone}\n"
                                   f"    $ make -s run NET=e1000\n    ...\n{typed}\n")


def exceptions_of_the_source():
    """The rows of the table in exceptions.c, and the stubs' word for the error code, as the page
    on interrupts gives them."""
    arch = ROOT / "src" / "arch" / "x86_64"
    rows = re.findall(r'^    \{"(.+?)", "(.+?)", CLASS_(\w+), (?:SIGNAL_)?(\w+)\}',
                      (arch / "exceptions.c").read_text(encoding="utf-8"), re.MULTILINE)
    rule = re.search(r"^%if (%1 == 8 .*)$", (arch / "stubs.asm").read_text(encoding="utf-8"),
                     re.MULTILINE)[1]
    for nasm, python in (("%1", "vector"), ("||", "or"), ("&&", "and")):
        rule = rule.replace(nasm, python)
    return [[str(vector), mnemonic, name, kind.lower(),
             "yes" if eval(rule, {"vector": vector}) else "",  # pylint: disable=eval-used
             "" if signal == "0" else f"SIG{signal}"]
            for vector, (mnemonic, name, kind, signal) in enumerate(rows)]


def test_the_exceptions_on_the_page():
    shown = [[cell.strip() for cell in row.strip("|").split("|")] for row in
             re.findall(r"^\| \d+ \|.*\|$", section("interrupts", "Fault, trap, abort"),
                        re.MULTILINE)]
    assert len(shown) == 32
    assert shown == exceptions_of_the_source()


# ---- the rules of the bottom halves --------------------------------------------------------------

BOTTOM_HALVES = ("irq/softirq.h", "irq/tasklet.h", "irq/timer.h", "sched/workqueue.h")
PRIVATE = "for sched/ksoftirqd.c alone"  # what stands behind this in a header is not on the page
DECLARED = re.compile(r"/\*((?:(?!\*/).)*)\*/\n((?:[^\n]+\n)+)", re.DOTALL)
FUNCTION = re.compile(r"^(?! )(?:static inline )?[a-z_ ]+[ *](\w+)\(", re.MULTILINE)


def said(comment, word):
    """What stands behind `Context:` or `Sleeps:` in a comment, up to the first stop."""
    match = re.search(rf"{word}:[\s*]+([^.,;(]+)", comment)
    return " ".join(match[1].replace("*", "").split()) if match else None


def rules_of(header):
    """{function: (context, sleeps)} of those whose comment says so."""
    text = (ROOT / "src" / header).read_text(encoding="utf-8").split(PRIVATE)[0]
    rules = {}
    for comment, declarations in DECLARED.findall(text):
        context = said(comment, "Context")
        if context and context.startswith("as "):
            context = rules[context.removeprefix("as ")][0]
        sleeps = said(comment, "Sleeps")
        for function in FUNCTION.findall(declarations) if context else ():
            rules[function] = (context, sleeps)
    return rules


def test_the_table_of_contexts_is_the_headers():
    rules = {function: rule for header in BOTTOM_HALVES
             for function, rule in rules_of(header).items()
             if rule[0] in ("hardirq", "softirq", "thread")}
    shown = {cells[0]: tuple(cells[1:]) for cells in
             ([cell.strip() for cell in line.strip("|").split("|")] for line in
              section("bottom-halves", "Who may call what").splitlines() if line.startswith("| "))
             if cells[0] != "function"}
    assert len(shown) > 15 and shown == {
        function: (context, "yes" if sleeps == "yes" else "no")
        for function, (context, sleeps) in rules.items()}


def test_what_the_page_of_bottom_halves_counts():
    """The softirqs in their order, and the limits."""
    text, source = page("bottom-halves"), {
        name: (ROOT / "src" / name).read_text(encoding="utf-8")
        for name in ("irq/softirq.h", "irq/softirq.c", "sched/workqueue.h")}
    names = re.search(r"enum softirq \{(.*?)SOFTIRQ_COUNT", source["irq/softirq.h"], re.DOTALL)[1]
    assert re.findall(r"^\| (SOFTIRQ_\w+) \|", text, re.MULTILINE) == re.findall(
        r"SOFTIRQ_\w+", names)
    rounds, = re.findall(r"ROUNDS_MAX = (\d+)", source["irq/softirq.c"])
    limit, = re.findall(r"NS_MAX = (\d+)000000", source["irq/softirq.c"])
    workers, = re.findall(r"WORKERS_MAX = (\d+)", source["sched/workqueue.h"])
    assert f"After {rounds} rounds, or {limit} ms," in text
    assert f"fewer than {workers} of one pool" in text.replace("\n", " ")
