# SPDX-License-Identifier: MIT
"""The measuring itself. No size is asserted here: only that the figures are there, repeat exactly,
and are the same when they are counted from outside."""

import csv
import importlib.machinery
import importlib.util
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
        "int80_null", "int80_unknown", "syscall_null", "syscall_unknown", "yield", "send_self",
        "send_other", "send_all"}),
    "carillon-programs": (guests.carillon_programs, guests.PROGRAMS, {
        "page_fault", "map_1", "map_16", "run_program", "switch_and_back", "send_claimed",
        "wait_ready", "wait_wake", "ring_program"}),
    "carillon-rings": (guests.carillon_rings, qemu.KERNEL, {"round_trip", "broadcast"}),
    "carillon-bottom-halves": (guests.carillon_bottom_halves, qemu.KERNEL,
                               {"softirq", "tasklet", "work"}),
    "carillon-interrupts": (guests.carillon_interrupts, qemu.KERNEL, {
        "irq_edge_entry", "irq_edge", "irq_level_entry", "irq_level", "ipi_entry", "ipi"}),
}
ALL_CORES = {"wait_wake", "ring_program", "round_trip"}  # that have a part in it by the end


@pytest.mark.parametrize("name", RUNS)
def test_exact_figures(name):
    """Two runs give the same samples; the plugin, which the guest knows nothing of, counts them
    too, and finds the caller's part in each, and that of the core which was rung."""
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
        if name != "floor" and operation in ALL_CORES:
            assert all(min(counts) > 0 for counts in passes[operation]), operation


def where():
    """bench/where as a module."""
    loader = importlib.machinery.SourceFileLoader("where", str(qemu.ROOT / "bench/where"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("where", loader))
    loader.exec_module(module)
    return module


def test_where_tells_the_programs_from_the_kernel():
    tool = where()
    images = [tool.Image(guests.GATES, tool.ITSELF), tool.Image(guests.PROGRAMS, "(programs)"),
              tool.Image(guests.CHILD, "(child)"), tool.Image(qemu.KERNEL)]
    gate = guests.symbols(qemu.KERNEL)["int80_entry"]
    steps = [(0, guests.symbols(guests.GATES)["_start"]),
             (0, guests.symbols(guests.PROGRAMS)["main"]), (0, gate), (1, images[2].base + 1),
             (0, gate + 1)]
    assert tool.by_function(steps, images) == [
        [0, tool.ITSELF, 1], [0, "(programs)", 1], [0, "int80_entry", 2], [1, "(child)", 1]]
    assert tool.ranking(steps, images).splitlines()[0].split() == ["core", "0", "2", "int80_entry"]


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
    "exact": {"floor": {"int80_null": [40] * 3},
              "carillon": {"int80_null": [80, 80, 90], "ring_program": [300] * 3}},
    "by_core": {"floor": {"int80_null": [40, 0]},
                "carillon": {"int80_null": [80, 0], "ring_program": [100, 150, 50]}},
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
    shares = [line for line in text.splitlines() if "ring 3 to ring 3" in line][1]
    assert [cell.strip() for cell in shares.strip("|").split("|")][1:] == ["-", "-", "100", "200"]
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
    archive = linux.initramfs(b"program", b"child's")
    at, names = 0, []
    while at < len(archive):
        assert archive[at:at + 6] == b"070701"
        fields = [int(archive[at + 6 + 8 * i:at + 14 + 8 * i], 16) for i in range(13)]
        size, name_size = fields[6], fields[11]
        names.append(archive[at + 110:at + 110 + name_size - 1].decode())
        at += (110 + name_size + 3) // 4 * 4
        if names[-1] in ("init", "child"):
            data = {"init": b"program", "child": b"child's"}[names[-1]]
            assert archive[at:at + size] == data and fields[1] == 0o100755
        at += (size + 3) // 4 * 4
    assert names == ["dev", "dev/console", "init", "child", "TRAILER!!!"]
