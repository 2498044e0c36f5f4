# SPDX-License-Identifier: MIT
"""The kernel's own tests: `selftest` runs them all and prints KTAP (Linux
Documentation/dev-tools/ktap.rst), which is read here as any KTAP would be.
"""

import re
from dataclasses import dataclass, field

import pytest

from booting import boot, config_for
from runs import Run

RESULT = re.compile(r"(ok|not ok) (\d+)(?: (?:- )?([^#]*?))?\s*(?:# *(\w+)\b *(.*))?")
PLAN = re.compile(r"1\.\.(\d+)")
TOTALS = re.compile(r"# Totals: pass:(\d+) fail:(\d+) skip:(\d+) error:(\d+)")


@dataclass
class Report:
    planned: int = None
    passed: list = field(default_factory=list)
    failed: list = field(default_factory=list)
    skipped: list = field(default_factory=list)
    totals: tuple = None


def read_ktap(lines):
    """The report in a machine's output; complains of what is no KTAP."""
    report = Report()
    start = lines.index("KTAP version 1")
    number = 0
    for line in lines[start + 1:]:
        if match := PLAN.fullmatch(line):
            assert report.planned is None, "a second plan"
            report.planned = int(match[1])
        elif match := RESULT.fullmatch(line):
            number += 1
            assert int(match[2]) == number, f"number {number} was due: {line}"
            name, directive = match[3], (match[4] or "").upper()
            kind = "skipped" if directive == "SKIP" else "passed" if match[1] == "ok" else "failed"
            getattr(report, kind).append(name)
        elif match := TOTALS.fullmatch(line):
            report.totals = tuple(map(int, match.groups()))
    return report


def check(report, vm):
    """Hold a report to what it planned, and name the tests that failed."""
    said = [line for line in vm.lines if line.startswith("# ")]
    assert not report.failed, "\n".join([f"failed: {', '.join(report.failed)}", *said])
    run = len(report.passed) + len(report.failed) + len(report.skipped)
    assert run == report.planned, f"{report.planned} planned, {run} run"
    assert report.passed, "no test has passed: are there any?"
    assert report.totals == (len(report.passed), 0, len(report.skipped), 0)


@pytest.mark.parametrize("smp", ["1", "2", pytest.param("4", marks=pytest.mark.quick), "8"])
def test_selftests(smp, machine):
    run = Run(f"selftest-{smp}", smp=smp, cmdline="selftest", limit=180)
    vm = machine(config_for(run), run.limit, run.name)
    vm.wait_line("KTAP version 1", forbid=run.forbid)
    vm.wait_line(r"selftest: exited with status \d+", forbid=run.forbid)
    status = vm.wait_exit()
    check(read_ktap(vm.lines), vm)
    assert status == 0


def test_an_unknown_name_is_a_failure(machine):
    boot(Run("selftest-unknown", cmdline="selftest=no-such-test", status=1, expect=[
        r"# no test is named no-such-test; there are:", "not ok 1 no-such-test",
        r"# Totals: pass:0 fail:1 skip:0 error:0", r"selftest: exited with status 1"]), machine)


# ---- the reader itself ---------------------------------------------------------------------------


def test_reader():
    report = read_ktap(["noise", "KTAP version 1", "1..3", "# first: a note", "ok 1 first",
                        "[    1.000000] a log line", "not ok 2 second",
                        "ok 3 third # SKIP needs two cores",
                        "# Totals: pass:1 fail:1 skip:1 error:0"])
    assert (report.planned, report.passed, report.failed, report.skipped) == (
        3, ["first"], ["second"], ["third"])
    assert report.totals == (1, 1, 1, 0)


def test_reader_misses_a_number():
    with pytest.raises(AssertionError, match="number 2 was due"):
        read_ktap(["KTAP version 1", "1..2", "ok 1 first", "ok 3 third"])
