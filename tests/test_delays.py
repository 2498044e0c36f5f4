# SPDX-License-Identifier: MIT
"""The protocols of models/ with delays at their steps, in the debug kernel; and each model's bugs,
put back into the C source: the delay test of that model must see them.

For the bugs the tree is copied with what is built of the debug kernel, so that each costs the file
that it changes and a link.
"""

import os
import re
import shutil
import subprocess

import pytest

import qemu
from booting import config_for
from delay_bugs import BUGS
from machine import OUTPUT, without_stamp
from qemu import STATUS_PANIC
from runs import Run
from ktap import check, read_ktap

MODELS = sorted(path.stem for path in (qemu.ROOT / "models").glob("*.pml"))
COPIED = ("Makefile", "linker.ld", "src", "tools", "user")
TREE = OUTPUT / "delays"
BUILT = "build/debug/carillon.elf"


def boot(machine, name, model, smp, kernel=qemu.DEBUG_KERNEL, may_panic=False):
    """Run a delay self-test to its end. Returns: the machine and its status."""
    run = Run(name, smp=smp, cmdline=f"selftest=delay-{model}", limit=180)
    config = config_for(run)
    config.kernel = kernel
    vm = machine(config, run.limit, name)
    if may_panic:
        vm.wait_line(r"selftest: exited with status \d+|panic: end of report")
        return vm, vm.wait_exit()
    vm.wait_line(r"selftest: exited with status \d+", forbid=run.forbid)
    return vm, vm.wait_exit(forbid=run.forbid)


@pytest.mark.parametrize("smp", ["2", "4"])
@pytest.mark.parametrize("model", MODELS)
def test_delays(model, smp, machine):
    vm, status = boot(machine, f"delays-{model}-{smp}", model, smp)
    check(read_ktap(vm.lines), vm)
    assert status == 0


# ---- bugs put back -------------------------------------------------------------------------------


def changed(bug):
    """The sources that the bug changes, as it leaves them; no change may meet another's text."""
    before = {file: (qemu.ROOT / file).read_text(encoding="utf-8") for file, _, _ in bug.changes}
    after = {}
    for file, text in before.items():
        places = []
        for _, old, new in (change for change in bug.changes if change[0] == file):
            assert text.count(old) == 1, f"{file} has {text.count(old)} times: {old}"
            places.append((text.index(old), old, new))
        for at, old, new in sorted(places, reverse=True):
            text = text[:at] + new + text[at + len(old):]
        after[file] = text
    return after


@pytest.fixture(scope="module", name="tree")
def copy_of_tree():
    """The sources and what is built of them."""
    shutil.rmtree(TREE, ignore_errors=True)
    for name in (*COPIED, "build/debug"):
        source = qemu.ROOT / name
        (TREE / name).parent.mkdir(parents=True, exist_ok=True)
        if source.is_dir():
            shutil.copytree(source, TREE / name, ignore=shutil.ignore_patterns("test", "*.iso"))
        else:
            shutil.copy2(source, TREE / name)
    return TREE


def build(tree, bug):
    """Build the debug kernel with a bug; the sources are put back. Returns: its path."""
    texts = changed(bug)
    environment = {key: value for key, value in os.environ.items()
                   if key not in ("MAKEFLAGS", "MFLAGS", "MAKELEVEL", "DEBUG", "BUILD")}
    for file, text in texts.items():
        (tree / file).write_text(text, encoding="utf-8")
    result = subprocess.run(["make", "DEBUG=1", BUILT], cwd=tree,
                            env=environment, capture_output=True, text=True, check=False)
    for file in texts:
        shutil.copyfile(qemu.ROOT / file, tree / file)
    assert result.returncode == 0, result.stdout + result.stderr
    return shutil.copyfile(tree / BUILT, OUTPUT / f"delays-{bug.model}-{bug.name}.elf")


@pytest.mark.parametrize("bug", [
    pytest.param(bug, id=f"{bug.model}-{bug.name}", marks=[] if bug.every_time else [pytest.mark.soak])
    for bug in BUGS])
def test_bug_is_seen(bug, tree, machine):
    vm, status = boot(machine, f"delays-{bug.model}-{bug.name}", bug.model, "4", build(tree, bug),
                      may_panic="panic: " in bug.says)
    assert status in (1, STATUS_PANIC), "the delay test does not see the bug"
    assert any(re.fullmatch(bug.says, without_stamp(line)) for line in vm.lines), (
        f"it says nothing like {bug.says}")


def test_bugs_are_the_models():
    """Each bug of each model has its change of the C source, and the other way round."""
    named = {(path.stem, name) for path in (qemu.ROOT / "models").glob("*.pml")
             for name in re.findall(r"^ \*     BUG_(\w+) ", path.read_text(encoding="utf-8"), re.MULTILINE)}
    assert named == {(bug.model, bug.name) for bug in BUGS}
