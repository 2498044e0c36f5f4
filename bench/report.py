# SPDX-License-Identifier: MIT
"""From the measured data to tables, csv files and the pages of bench/README.md."""

import csv
import re

import guests

README = guests.ROOT / "bench/README.md"

# operation: what the table calls it, and the target for Carillon, if there is one
OPERATIONS = {
    "int80_null": ("int 0x80, getpid", 70),
    "int80_unknown": ("int 0x80, no such call", None),
    "syscall_null": ("syscall, getpid", 50),
    "syscall_unknown": ("syscall, no such call", None),
    "yield": ("yield, alone on the core", 300),
    "switch_and_back": ("yield to another program, and back", None),
    "page_fault": ("page fault: first touch of a page", None),
    "map_1": ("mmap, touch, munmap of 1 page", None),
    "map_16": ("mmap, touch, munmap of 16 pages", None),
    "run_program": ("vfork, execve, waitpid of a 41 KB program", None),
    "send_other": ("send_ipi to another core, call to return", 110),
    "send_self": ("send_ipi to itself, call to return", None),
    "send_all": ("send_ipi to all 4, call to return", None),
    "send_claimed": ("send_ipi to itself, claimed by ipi_wait", None),
    "wait_ready": ("ipi_wait, with a ring there", None),
    "wait_wake": ("ipi_wait, from the send's return to the waiter's", None),
    "ring_program": ("ring 3 to ring 3: send_ipi to the waiter's return", None),
    "round_trip": ("in the kernel: ring another core, until seen", 110),
    "broadcast": ("in the kernel: ring all 4, until all have seen", None),
    "irq_edge_entry": ("device interrupt, edge: entry to the handler", 120),
    "irq_edge": ("device interrupt, edge: entry to iret", None),
    "irq_level_entry": ("device interrupt, level: entry to the handler", 120),
    "irq_level": ("device interrupt, level: entry to iret", None),
    "ipi_entry": ("IPI with a kernel handler: entry to the handler", None),
    "ipi": ("IPI with a kernel handler: entry to iret", 60),
    "softirq": ("softirq, from a handler's raise to its function", None),
    "tasklet": ("tasklet, from a handler's schedule to its function", None),
    "work": ("work item, from a handler on an idle core to its function", None),
}
BARE = {"bare_int": "int 0x80, getpid", "bare_syscall": "syscall, getpid",
        "bare_round_trip": "ring another core, until seen"}
BARE_OF = {"bare_int": "int80_null", "bare_syscall": "syscall_null",
           "bare_round_trip": "round_trip"}


def table(rows):
    """Rows of text as a table in Markdown, in columns for the eye; the first row is the heading."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["| " + " | ".join(cell.ljust(width) if i == 0 else cell.rjust(width)
                               for i, (cell, width) in enumerate(zip(row, widths))) + " |"
             for row in rows]
    rule = "|" + "|".join("-" * (width + 1) + ("-" if i == 0 else ":")
                          for i, width in enumerate(widths)) + "|"
    return "\n".join([lines[0], rule, *lines[1:]])


def told(samples):
    """A figure; its range too, if it is one."""
    low, middle, high = min(samples), sorted(samples)[(len(samples) - 1) // 2], max(samples)
    return str(middle) if low == high else f"{middle} ({low}..{high})"


def middle_of(samples):
    return sorted(samples)[(len(samples) - 1) // 2]


def ratio(one, other):
    return f"{one / other:.2f}" if one is not None and other else "-"


def target_words(value, target, unit=""):
    if target is None or value is None:
        return "-"
    return f"<= {target}{unit}: {'met' if value <= target else 'not met'}"


def instruction_rows(results):
    exact = results["exact"]
    rows = [["operation", "floor", "Carillon", "Linux", "Carillon/floor", "Linux/Carillon",
             "target"]]
    for operation, (title, target) in OPERATIONS.items():
        samples = {guest: exact.get(guest, {}).get(operation)
                   for guest in ("floor", "carillon", "linux")}
        figure = {guest: middle_of(found) if found else None for guest, found in samples.items()}
        rows.append([title, *(told(found) if found else "-" for found in samples.values()),
                     ratio(figure["carillon"], figure["floor"]),
                     ratio(figure["linux"], figure["carillon"]),
                     target_words(figure["carillon"], target)])
    return rows


def core_rows(results):
    """Who executed them: the caller's core, and the others."""
    rows = [["operation", "floor: caller", "others", "Carillon: caller", "others"]]
    for operation, (title, _) in OPERATIONS.items():
        found = [results["by_core"][guest].get(operation, []) for guest in ("floor", "carillon")]
        if any(sum(counts[1:]) for counts in found):
            rows.append([title, *(str(n) if counts else "-" for counts in found
                                  for n in (sum(counts[:1]), sum(counts[1:])))])
    return rows


def witness(results):
    """Do the guests' counts and those from outside agree?"""
    differ = []
    for guest, operations in results["by_core"].items():
        for operation, counts in operations.items():
            inside = results["exact"][guest].get(operation)
            if inside and middle_of(inside) != sum(counts):
                differ.append(f"{guest} {operation}: {middle_of(inside)} inside, {sum(counts)}")
    return differ


def bare_rows(results):
    rows = [["operation, floor", "bare", "with the contract's duties"]]
    for operation, title in BARE.items():
        if operation in results["exact"]["floor"]:
            rows.append([title, told(results["exact"]["floor"][operation]),
                         told(results["exact"]["floor"][BARE_OF[operation]])])
    return rows


def milliseconds(figure):
    """Of a spread in us."""
    return f"{figure['median'] / 1000:.2f} ({figure['min'] / 1000:.2f}..{figure['max'] / 1000:.2f})"


def bring_up_rows(results):
    linux = results.get("linux_times", {}).get("bring_up")
    rows = [["cores", "floor, ms", "Carillon, ms", "of that the INIT wait", "Linux, ms",
             "Carillon/floor", "Linux/Carillon", "target"]]
    for row in results["bring_up"]:
        beyond = (row["carillon"]["median"] - row["wait_us"]) / 1000
        times = row["carillon"]["median"] / row["floor"]["median"]
        target = "-"
        if row["cores"] == 4:
            target = f"{beyond:.2f} beyond the wait, " + target_words(beyond, 5, " ms")
        if row["cores"] == 255:
            target = target_words(times, 3, " times the floor")
        has_linux = linux and row["cores"] == 4
        rows.append([str(row["cores"]), milliseconds(row["floor"]), milliseconds(row["carillon"]),
                     f"{row['wait_us'] / 1000:.0f}", milliseconds(linux) if has_linux else "-",
                     f"{times:.2f}",
                     ratio(linux["median"], row["carillon"]["median"]) if has_linux else "-",
                     target])
    return rows


def broadcast_rows(results):
    rows = [["cores", "floor", "Carillon", "Carillon/floor", "Carillon, per core"]]
    for row in results["broadcast"]:
        floor, carillon = row["floor"], row["carillon"]
        rows.append([str(row["cores"]), *(
            f"{one['median']}" if one["min"] == one["max"]
            else f"{one['median']} ({one['min']}..{one['max']})" for one in (floor, carillon)),
            ratio(carillon["median"], floor["median"]),
            f"{carillon['median'] / row['cores']:.0f}"])
    return rows


def other_rows(results):
    to_init, memory = results["to_init"], results["memory"]
    linux = results.get("linux_times", {}).get("to_init")
    exact = to_init["exact"]
    return [["what, -smp 4", "Carillon", "Linux", "target"],
            ["kernel's entry to init's first instruction, ms", milliseconds(to_init["carillon"]),
             milliseconds(linux) if linux else "-",
             target_words(to_init["carillon"]["median"] / 1000, 100, " ms")],
            ["the same under icount, ms of virtual time", f"{exact / 1000:.2f}", "-",
             target_words(exact / 1000, 100, " ms")],
            ["memory taken at init, of 128 MiB, KiB",
             str(memory["carillon"]) if memory["carillon"] else "-",
             str(memory["linux"]) if memory["linux"] else "-",
             target_words(memory["carillon"], 6144)]]


def counts_text(results):
    """The tables of guest instructions, as they stand in the README: the same on any host."""
    parts = [f"Linux is Debian's {results['linux_kernel']}." if results["linux_kernel"] else
             "There was no Linux to compare with.",
             "**Guest instructions, -smp 4** (Linux: -smp 1), the sum of all cores:",
             table(instruction_rows(results))]
    parts.append("A second run gave the same figures, sample by sample." if results["repeats"] else
                 "A second run gave other figures.")
    differ = witness(results)
    parts.append("Counted from outside, by the plugin, each is the same too."
                 if not differ else "The plugin counts otherwise: " + "; ".join(differ) + ".")
    parts += ["Of these, where other cores had a part in it:", table(core_rows(results)),
              "**What the duties cost**, guest instructions of the floor:",
              table(bare_rows(results))]
    return "\n\n".join(parts)


def times_text(results):
    """The other tables."""
    parts = ["**To init, and memory**:", table(other_rows(results))]
    if "bring_up" in results:
        parts += ["**Bring-up**, first INIT to all cores online, median (min..max):",
                  table(bring_up_rows(results)),
                  "**Broadcast** in the kernel, instructions of all cores until all have seen it:",
                  table(broadcast_rows(results))]
    return "\n\n".join(parts)


def text(results):
    return f"{counts_text(results)}\n\n{times_text(results)}"


# ---- files ---------------------------------------------------------------------------------------


def write_csv(name, heading, rows):
    with (guests.OUTPUT / name).open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(heading)
        writer.writerows(rows)


def write_csvs(results):
    rows = []
    for guest, operations in results["exact"].items():
        for operation, samples in operations.items():
            if operation in guests.FACTS:
                continue
            counts = results["by_core"].get(guest, {}).get(operation, [])
            rows.append([guest, operation, len(samples), min(samples), middle_of(samples),
                         max(samples), *counts])
    write_csv("instructions.csv", ["guest", "operation", "samples", "min", "median", "max",
                                   "core0", "core1", "core2", "core3"], rows)
    if "bring_up" not in results:
        return
    keys = ("n", "min", "median", "max")
    for name, unit, more in (("bring_up", "us", ("wait_us",)), ("broadcast", "instructions", ())):
        write_csv(f"{name}.csv", ["cores", *more, *(
            f"{guest}_{key}" + ("" if key == "n" else f"_{unit}")
            for guest in ("floor", "carillon") for key in keys)],
            [[row["cores"], *(row[key] for key in more),
              *(row[guest][key] for guest in ("floor", "carillon") for key in keys)]
             for row in results[name]])


def put_into_readme(block, content):
    """Replace what stands between the block's markers."""
    page = README.read_text(encoding="utf-8")
    begin, end = f"<!-- {block}: begin -->", f"<!-- {block}: end -->"
    pattern = re.compile(re.escape(begin) + ".*" + re.escape(end), re.DOTALL)
    new, count = pattern.subn(lambda _: f"{begin}\n{content}\n{end}", page)
    if count != 1:
        raise SystemExit(f"bench: {README.name} has no place for '{block}'")
    README.write_text(new, encoding="utf-8")
