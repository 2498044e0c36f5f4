# SPDX-License-Identifier: MIT
"""What is measured, in the order in which `make bench` does it. All return plain data."""

import statistics

import guests
import linux
from guests import EXACT, GuestError, boot, counted, say, series, stamp

CORES = 4
STEPS = (1, 2, 4, 8, 16, 32, 64, 128, 255)
LINUX_LIMIT = 90  # seconds; with more cores than the host has, some of its boots stand still
SINGLE = "tcg,thread=single"  # one host thread: the plugin counts, and no two cores at once

INIT_LINE = r"bench: init's first instruction"
MEMORY_LINE = r"memory:.*?(\d+) KiB taken|memory:.*?taken (\d+) KiB"


def spread(samples):
    """What is told of a row of samples."""
    return {"n": len(samples), "min": min(samples), "median": statistics.median_low(samples),
            "max": max(samples)}


# ---- instructions --------------------------------------------------------------------------------


def exact_figures(suffix=""):
    """{guest: {operation: samples}} of the floor and of Carillon, in guest instructions."""
    floor = boot(f"floor{suffix}", guests.floor(CORES), guests.END, EXACT)
    carillon = {}
    for name, config in (("gates", guests.carillon_gates), ("programs", guests.carillon_programs),
                         ("rings", guests.carillon_rings),
                         ("bottom-halves", guests.carillon_bottom_halves),
                         ("interrupts", guests.carillon_interrupts)):
        carillon |= series(boot(f"carillon-{name}{suffix}", config(CORES), guests.END, EXACT))
    found = {"floor": series(floor), "carillon": carillon}
    return {guest: {operation: samples for operation, samples in operations.items()
                    if operation not in guests.FACTS} for guest, operations in found.items()}


def linux_figures(kernel, gates, programs):
    """
    The same of Linux, on one core: under icount QEMU does not get Linux's other cores started.
    A call's path is the same on one core and on four.
    """
    lines = boot("linux-gates", guests.linux_init(kernel, gates, 1), guests.END, EXACT, 400)
    lines += boot("linux-programs",
                  guests.linux_init(kernel, programs, 1, cpu=guests.PAGES_CPU), guests.END, EXACT,
                  400)
    return series(lines)


def by_core():
    """{guest: {operation: [instructions of core 0, 1 ...]}}: the same, counted from outside."""
    found = {"floor": {}, "carillon": {}}
    for guest, name, config, elf in (
            ("floor", "floor-counted", guests.floor(CORES), guests.FLOOR),
            ("carillon", "carillon-gates-counted", guests.carillon_gates(CORES), guests.GATES),
            ("carillon", "carillon-programs-counted", guests.carillon_programs(CORES),
             guests.PROGRAMS),
            ("carillon", "carillon-rings-counted", guests.carillon_rings(CORES),
             guests.qemu.KERNEL),
            ("carillon", "carillon-bottom-halves-counted", guests.carillon_bottom_halves(CORES),
             guests.qemu.KERNEL),
            ("carillon", "carillon-interrupts-counted", guests.carillon_interrupts(CORES),
             guests.qemu.KERNEL)):
        passes, _, _ = counted(name, config, guests.marks_of(elf), EXACT)
        for operation, rows in passes.items():
            if rows:
                found[guest][operation] = statistics.median_low(rows)
    return found


# ---- times ---------------------------------------------------------------------------------------


def bring_up_once(cores, run):
    """(floor, Carillon) from the first INIT to all cores online, in us; and Carillon's own wait."""
    lines = boot(f"floor-{cores}-{run}", guests.floor(cores), "bring_up_ns")
    floor_us = series(lines)["bring_up_ns"][0] / 1000
    lines = boot(f"carillon-{cores}-{run}", guests.carillon_rings(cores), "init_wait_ns")
    us, wait = (series(lines)[key][0] / 1000 for key in ("bring_up_ns", "init_wait_ns"))
    online = guests.number(lines, rf"smp: (\d+) of {cores} cores online")
    if online != cores:
        raise GuestError(f"carillon-{cores}-{run}: {online} of {cores} cores came online")
    return floor_us, us, wait


def bring_up(steps=STEPS):
    """[{cores, wait_us, floor: us, carillon: us}]; floor and Carillon take turns."""
    rows = []
    for cores in steps:
        if cores == 1:
            continue  # nobody to bring up
        try:
            runs = [bring_up_once(cores, run) for run in range(5 if cores < 100 else 3)]
        except GuestError as error:
            say(str(error))
            continue
        rows.append({"cores": cores, "wait_us": runs[0][2],
                     "floor": spread([run[0] for run in runs]),
                     "carillon": spread([run[1] for run in runs])})
    return rows


def to_init():
    """From the kernel's entry to init's first instruction, in us of guest time."""
    taken = []
    for run in range(5):
        lines = boot(f"to-init-{run}", guests.carillon_gates(CORES), INIT_LINE)
        taken.append(stamp(lines, INIT_LINE) * 1e6)
    lines = boot("to-init-exact", guests.carillon_gates(CORES), INIT_LINE, EXACT)
    return {"carillon": spread(taken), "exact": stamp(lines, INIT_LINE) * 1e6}


def linux_times(kernel, initramfs):
    """Linux's bring-up and way to init, in us, by its own log's stamps; -smp 4. Or None."""
    ups, inits = [], []
    for run in range(3):
        try:
            lines = boot(f"linux-{CORES}-{run}", guests.linux_init(kernel, initramfs, CORES),
                         "Run /init", limit=LINUX_LIMIT)
        except GuestError as error:
            say(f"passed over: {error}")
            continue
        begin = stamp(lines, "smp: Bringing up secondary CPUs")
        ups.append((stamp(lines, "smp: Brought up") - begin) * 1e6)
        inits.append(stamp(lines, "Run /init") * 1e6)
    return {"bring_up": spread(ups), "to_init": spread(inits)} if ups else None


# ---- memory --------------------------------------------------------------------------------------


def memory(kernel=None, initramfs=None):
    """KiB that the kernel has taken at init, of 128 MiB; None where it does not say."""
    lines = boot("carillon-memory", guests.carillon_gates(CORES, "128M"), INIT_LINE)
    found = {"carillon": guests.number(lines, MEMORY_LINE), "linux": None}
    if kernel:
        try:
            lines = boot("linux-memory", guests.linux_init(kernel, initramfs, CORES, "128M"),
                         guests.END, limit=LINUX_LIMIT)
            found["linux"] = (128 << 10) - guests.number(lines, r"memory_free_kib (\d+)")
        except GuestError as error:
            say(f"passed over: {error}")
    return found


# ---- broadcast -----------------------------------------------------------------------------------


def broadcast(steps=STEPS):
    """
    [{cores, floor: instructions, carillon: instructions}]: send_ipi(-1) in the kernel until every
    core's handler was there, all cores together, counted from outside. Without icount: under it
    QEMU loses time whenever a core gets an INIT, and 255 cores would take minutes.
    """
    rows = []
    for cores in steps:
        row = {"cores": cores}
        for guest, config, elf in (("floor", guests.floor(cores), guests.FLOOR),
                                   ("carillon", guests.carillon_rings(cores), guests.qemu.KERNEL)):
            config.accel = SINGLE
            try:
                passes, _, _ = counted(f"broadcast-{guest}-{cores}", config,
                                       guests.marks_of(elf, ("broadcast",)))
                if not passes["broadcast"]:
                    raise GuestError(f"{guest}, {cores} cores: nothing was counted")
                row[guest] = spread([sum(counts) for counts in passes["broadcast"]])
            except GuestError as error:
                say(str(error))
        if "floor" in row and "carillon" in row:
            rows.append(row)
    return rows


# ---- all of it -----------------------------------------------------------------------------------


def linux_parts():
    """(kernel, initramfs with gates, with programs) or None thrice, said in words."""
    try:
        kernel = linux.kernel()
    except linux.LinuxMissing as error:
        say(f"no Linux to compare with: {error}")
        return None, None, None
    gates, programs = (guests.OUTPUT / f"linux/{name}.cpio" for name in ("gates", "programs"))
    gates.write_bytes(linux.initramfs(guests.GATES.read_bytes()))
    programs.write_bytes(linux.initramfs(guests.PROGRAMS.read_bytes(), guests.CHILD.read_bytes()))
    return kernel, gates, programs


def instructions(results):
    say("instructions, by the guests' own counts")
    results["exact"] = exact_figures()
    say("the same again: is every figure the same?")
    results["repeats"] = exact_figures("-again") == results["exact"]
    say("the same, counted from outside")
    results["by_core"] = by_core()


def everything(results, with_times):
    kernel, initramfs, programs = linux_parts()
    results["linux_kernel"] = kernel.name if kernel else None
    instructions(results)
    if kernel:
        say("instructions of Linux")
        results["exact"]["linux"] = linux_figures(kernel, initramfs, programs)
    say("the way to init, and memory")
    results["to_init"] = to_init()
    results["memory"] = memory(kernel, initramfs)
    if not with_times:
        return
    if kernel:
        say("times of Linux")
        results["linux_times"] = linux_times(kernel, initramfs) or {}
    say("bring-up")
    results["bring_up"] = bring_up()
    say("broadcast")
    results["broadcast"] = broadcast()
