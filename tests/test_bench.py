# SPDX-License-Identifier: MIT
"""The measuring itself. No size is asserted here: only that the figures are there, repeat exactly,
and are the same when they are counted from outside."""

import csv
import sys

import pytest

import qemu

sys.path.insert(0, str(qemu.ROOT / "bench"))
import guests  # noqa: E402  (needs the path above)
import linux  # noqa: E402
import report  # noqa: E402

CORES = 2
RUNS = {
    "floor": (guests.floor, guests.FLOOR, {
        "int80_null", "int80_unknown", "bare_int", "syscall_null", "syscall_unknown",
        "bare_syscall", "send_self", "send_other", "send_all", "round_trip", "broadcast"}),
    "carillon-gates": (guests.carillon_gates, guests.GATES, {
        "int80_null", "int80_unknown", "syscall_null", "syscall_unknown", "send_self",
        "send_other", "send_all"}),
    "carillon-rings": (guests.carillon_rings, qemu.KERNEL, {"round_trip", "broadcast"}),
}


@pytest.mark.parametrize("name", RUNS)
def test_exact_figures(name):
    """Two runs give the same samples; the plugin, which the guest knows nothing of, counts them
    too, and finds the caller's part in each."""
    config, elf, operations = RUNS[name]
    first = guests.series(guests.boot(f"test-{name}", config(CORES), guests.END, guests.EXACT))
    passes, steps, lines = guests.counted(f"test-{name}-counted", config(CORES),
                                          guests.marks_of(elf), guests.EXACT)
    again = guests.series(lines)
    assert set(first) - set(guests.FACTS) == operations
    assert {name: first[name] for name in operations} == {name: again[name] for name in operations}
    for operation in operations:
        outside = [sum(counts) for counts in passes[operation]]
        assert first[operation] == outside, operation
        assert all(counts[0] > 0 for counts in passes[operation]), operation
        assert {core for core, _ in steps[operation]} <= set(range(CORES))


def test_ringing_is_seen_to_reach_the_other_core():
    """In the round trip both cores have a part, by the plugin's count."""
    passes, _, _ = guests.counted("test-round-trip", guests.carillon_rings(CORES),
                                  guests.marks_of(qemu.KERNEL, ("round_trip",)), guests.EXACT)
    assert passes["round_trip"] and all(min(counts) > 0 for counts in passes["round_trip"])


def test_a_guest_that_does_not_answer_is_an_error():
    with pytest.raises(guests.GuestError, match="before 'never' was seen"):
        guests.boot("test-no-answer", guests.floor(1), "never")


def test_pair_is_taken_off():
    lines = ["bench: call pair 4 4 5", "noise", "# bench: call 47 47 99", "bench: alone 7"]
    assert guests.series(lines) == {"call": [43, 43, 95], "alone": [7]}


def spread(middle):
    return {"n": 3, "min": middle - 1, "median": middle, "max": middle + 1}


RESULTS = {
    "linux_kernel": None, "repeats": True,
    "exact": {"floor": {"int80_null": [40] * 3}, "carillon": {"int80_null": [80, 80, 90]}},
    "by_core": {"floor": {"int80_null": [40, 0]}, "carillon": {"int80_null": [80, 0]}},
    "to_init": {"carillon": spread(5000), "exact": 90000},
    "memory": {"carillon": None, "linux": None},
    "bring_up": [{"cores": 4, "wait_us": 10000, "floor": spread(1000), "carillon": spread(16000)}],
    "broadcast": [{"cores": 4, "floor": spread(300), "carillon": spread(900)}],
}


def test_tables():
    text = report.text(RESULTS)
    row = next(line for line in text.splitlines() if "int 0x80, getpid" in line)
    assert [cell.strip() for cell in row.strip("|").split("|")] == [
        "int 0x80, getpid", "40", "80 (80..90)", "-", "2.00", "-", "<= 70: not met"]
    assert "6.00 beyond the wait, <= 5 ms: not met" in text
    assert "the plugin, each is the same too" in text
    other = {**RESULTS["by_core"], "floor": {"int80_null": [39, 0]}}
    assert "The plugin counts otherwise: floor int80_null: 40 inside, 39." in report.text(
        {**RESULTS, "by_core": other})


def test_csv(tmp_path, monkeypatch):
    monkeypatch.setattr(guests, "OUTPUT", tmp_path)
    report.write_csvs(RESULTS)
    read = {path.stem: list(csv.DictReader(path.open(encoding="utf-8")))
            for path in tmp_path.glob("*.csv")}
    assert set(read) == {"instructions", "bring_up", "broadcast"}
    assert read["instructions"][1]["operation"] == "int80_null"
    assert [read["instructions"][1][key] for key in ("min", "median", "max")] == ["80", "80", "90"]
    assert read["bring_up"][0]["carillon_median_us"] == "16000"
    assert read["broadcast"][0]["floor_median_instructions"] == "300"


def test_initramfs_is_what_cpio_writes():
    """Each field of the header is eight hexadecimal digits, each part a multiple of four bytes."""
    archive = linux.initramfs(b"program")
    at, names = 0, []
    while at < len(archive):
        assert archive[at:at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = fields[6], fields[11]
        names.append(archive[at + 110:at + 110 + name_size - 1].decode())
        at += (110 + name_size + 3) // 4 * 4
        if names[-1] == "init":
            assert archive[at:at + size] == b"program" and fields[1] == 0o100755
        at += (size + 3) // 4 * 4
    assert names == ["dev", "dev/console", "init", "TRAILER!!!"]
