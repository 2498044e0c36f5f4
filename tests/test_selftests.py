# SPDX-License-Identifier: MIT
"""The kernel's own tests: `selftest` runs them all and prints KTAP (Linux
Documentation/dev-tools/ktap.rst), which is read here as any KTAP would be.
"""

import pytest

import qemu
from booting import boot, config_for
from ktap import check, read_ktap
from runs import CARDS, Run


def selftests(run, machine):
    vm = machine(config_for(run), run.limit, run.name)
    vm.wait_line("KTAP version 1", forbid=run.forbid)
    vm.wait_line(r"selftest: exited with status \d+", forbid=run.forbid)
    status = vm.wait_exit()
    report = read_ktap(vm.lines)
    check(report, vm)
    assert status == 0
    # an NMI that a test sends meets that test, and none later
    assert not any("nmi: from outside" in line for line in vm.lines)
    return report


@pytest.mark.parametrize("smp, kind", [
    ("1", "q35"), ("2", "pc"), pytest.param("4", "q35", marks=pytest.mark.quick), ("8", "q35")])
def test_selftests(smp, kind, machine):
    run = Run(f"selftest-{smp}", smp=smp, machine=kind, extra=CARDS, cmdline="selftest", limit=400)
    report = selftests(run, machine)
    is_long = int(smp) > 2 or qemu.KERNEL == qemu.DEBUG_KERNEL
    long = ["pci-stuck-line"] if is_long else []
    assert [name for name in report.skipped if name.startswith("pci-")] == long


def test_selftests_beside_network_cards(machine):
    """The cards keep their irqs, a line's and messages, and go on."""
    run = Run("selftest-cards", smp="2", cmdline="selftest", limit=400,
              extra=("-nic", "user,model=e1000", "-nic", "user,model=e1000e"))
    report = selftests(run, machine)
    assert any(name.startswith("net-") for name in report.skipped)


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
