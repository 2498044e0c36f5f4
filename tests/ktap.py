# SPDX-License-Identifier: MIT
"""Reads KTAP (Linux Documentation/dev-tools/ktap.rst) out of a machine's output."""

import re
from dataclasses import dataclass, field

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
