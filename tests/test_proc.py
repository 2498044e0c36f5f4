# SPDX-License-Identifier: MIT
"""The tables of /proc against what the test caused, and against what QEMU's cores took.

What /proc is as a file system, tests/user/procfs.c asks of Linux and Carillon alike.
"""

import re
import time
from dataclasses import dataclass

import pytest

import programs
import qemu
import witness
from booting import boot, config_for
from machine import Monitor, output_path
from prompt import PROMPT, Prompt
from runs import PANIC, Run, exited
from screens import type_keys

CORES = 4
DEVICE_VECTORS = range(239, 249)
KEYS = "typing"
# Rows with one number for the machine, as on Linux.
SUMS = {"ERR", "MIS"}
WORDS = {"NMI": "Non-maskable interrupts", "LOC": "Local timer interrupts",
         "RES": "Rescheduling interrupts", "CAL": "Function call interrupts",
         "TLB": "TLB shootdowns"}


@dataclass
class Row:
    counts: list
    words: list


def parse_table(lines):
    """A table in the form of Linux's /proc/interrupts and /proc/softirqs. Returns: rows by name."""
    columns = lines[0].split()
    assert columns == [f"CPU{core}" for core in range(CORES)]
    rows = {}
    for line in lines[1:]:
        name, rest = line.split(":", 1)
        name = name.strip()
        many = 1 if name in SUMS else len(columns)
        words = rest.split()
        assert name not in rows and len(words) >= many, line
        rows[name] = Row([int(word) for word in words[:many]], words[many:])
        if many > 1:  # below their headings, as long as they are short enough
            ends = [match.end() for match in re.finditer(r"\d+", rest)][:many]
            assert [end - ends[0] for end in ends] == [11 * core for core in range(many)], line
    return rows


def parse_ipi(lines):
    """/proc/ipi as {(vector, core): (sent, received, folded, refused)}."""
    assert lines[0].split() == ["vector", "core", "sent", "received", "folded", "refused"]
    numbers = [list(map(int, line.split())) for line in lines[1:]]
    return {(row[0], row[1]): tuple(row[2:]) for row in numbers}


def device_counts(rows):
    """What each core took from devices."""
    devices = [row.counts for name, row in rows.items() if name.isdigit() and row.words[0] != "IPI"]
    return [sum(column) for column in zip(*devices)]


def check_rings(prompt):
    """Three rings from core 0 to core 1, and others; some are refused, and the owner changes."""
    prompt.type("register_ipi 100")
    for _ in range(3):
        prompt.type("on 0 send_ipi 1 100")
    prompt.type("on 2 send_ipi -2 100; on 3 send_ipi 3 100")
    prompt.type("on 2 send_ipi 1 101; on 2 send_ipi 1 101")
    prompt.type("unregister_ipi 100; register_ipi 100; on 1 send_ipi 0 100")
    prompt.type("unregister_ipi 100; on 1 send_ipi 0 100")
    counts = parse_ipi(prompt.type("cat /proc/ipi"))
    assert {key: (sent, received, refused) for key, (sent, received, _, refused) in counts.items()} == {
        (100, 0): (3, 2, 0), (100, 1): (1, 4, 1), (100, 2): (3, 0, 0), (100, 3): (1, 2, 0),
        (101, 2): (0, 0, 2)}
    assert all(folded < received or folded == 0 for _, received, folded, _ in counts.values())


def check_own_rows(prompt, rows):
    """The rows of rings and of the kernel's own vectors."""
    irq = re.fullmatch(r"vector 102 is irq (\d+)", prompt.type("register_ipi 102")[0])[1]
    assert irq not in rows
    prompt.type("on 3 send_ipi 3 102; on 3 send_ipi 3 102; on 2 send_ipi 2 102")  # all are taken
    rows = parse_table(prompt.type("cat /proc/interrupts"))
    assert rows[irq] == Row([0, 0, 1, 2], ["IPI", "102-percpu", "ipi", "message"])
    for name, words in WORDS.items():
        assert rows[name].words == words.split()
    assert sum(rows["RES"].counts) > 0 and sum(rows["CAL"].counts) > 0
    assert rows["ERR"].counts == [0]


def check_affinity(prompt):
    """IRQ4 moves to core 2: from then on it counts there alone. Returns: what the cores took."""
    assert prompt.type("echo 4 > /proc/irq/4/smp_affinity") == []
    for name, text in (("smp_affinity", "4"), ("smp_affinity_list", "2"),
                       ("effective_affinity", "4"), ("effective_affinity_list", "2")):
        assert prompt.type(f"cat /proc/irq/4/{name}") == [text]
    before = parse_table(prompt.type("cat /proc/interrupts"))
    prompt.type("echo " + "typing " * 20)
    after = parse_table(prompt.type("cat /proc/interrupts"))
    assert after["4"].words[:2] == ["IO-APIC", "4-edge"] and after["4"].words[2] == "ttyS0"
    assert after["4"].counts[2] - before["4"].counts[2] >= 20
    for core in (0, 1, 3):
        assert after["4"].counts[core] == before["4"].counts[core]
    for text, error in (("0", "Invalid argument"), ("10", "Value too large for data type"),
                        ("x", "Invalid argument")):
        assert prompt.type(f"echo {text} > /proc/irq/4/smp_affinity")[0] == f"echo: {error}"
    assert prompt.type("cat /proc/irq/4/smp_affinity") == ["4"]
    return device_counts(after)


def check_machine(prompt):
    """Files about cores and processes: what must agree with one another does."""
    cores = [line.split() for line in prompt.type("cat /proc/cores")]
    assert cores[0] == ["core", "apicid", "state", "ticks"]
    assert [row[:3] for row in cores[1:]] == [[str(n), str(n), "online"] for n in range(CORES)]
    assert [line.split()[:3] for line in prompt.type("cores")[1:]] == [row[:3] for row in cores[1:]]
    info = "\n".join(prompt.type("cat /proc/cpuinfo"))
    assert re.findall(r"^processor\t: (\d+)$", info, re.MULTILINE) == list("0123")
    assert re.findall(r"^apicid\t\t: (\d+)$", info, re.MULTILINE) == list("0123")
    assert len(set(re.findall(r"^flags\t\t:.* (sse2) ", info, re.MULTILINE))) == 1
    stat = dict(line.split(" ", 1) for line in prompt.type("cat /proc/stat"))
    assert abs(time.time() - int(stat["btime"])) < 3600  # QEMU's clock is this machine's
    up, idle = map(float, prompt.type("cat /proc/uptime")[0].split())
    busy_and_idle = [sum(map(int, stat[f"cpu{core}"].split())) for core in range(CORES)]
    assert all(0 < ticks / 100 <= up for ticks in busy_and_idle), (up, busy_and_idle)
    assert 0 < idle < CORES * up
    assert set(prompt.type("cat /proc/softirqs")[0].split()) == {f"CPU{n}" for n in range(CORES)}
    assert prompt.type("cat /proc/cmdline") == ["debugexit init=/bin/sh"]
    memory = dict(re.fullmatch(r"(\w+): +(\d+) kB", line).groups()
                  for line in prompt.type("cat /proc/meminfo"))
    assert 200 << 10 < int(memory["MemFree"]) < int(memory["MemTotal"]) < 256 << 10


def frames_of(lines):
    """What irqtop drew: for each picture its seconds, and its rows by name."""
    frames = []
    for line in lines:
        words = line.split()
        if match := re.fullmatch(r"irqtop: interrupts a second, over (\d+\.\d+) s", line):
            frames.append((float(match[1]), {}))
        elif words[:1] == ["irq"]:
            assert words == ["irq", "total", "rate", *(f"CPU{n}" for n in range(CORES))]
        elif words:
            frames[-1][1][words[0]] = words[1:]
    return frames


def check_irqtop(prompt):
    irq = re.fullmatch(r"vector 103 is irq (\d+)", prompt.type("register_ipi 103")[0])[1]
    prompt.type("on 1 send_ipi 3 103; on 3 send_ipi 3 103; on 2 send_ipi 2 103")  # all are taken
    (_, first), (seconds, second) = frames_of(prompt.type("irqtop -n 2 -d 0.2 | cat"))
    assert first[irq] == ["3", "0.0", *["0.0"] * CORES, "IPI", "103-percpu", "ipi", "message"]
    came = int(second["LOC"][0]) - int(first["LOC"][0])
    rate, *rates = map(float, second["LOC"][1:2 + CORES])
    assert came > 0  # its own timer
    assert abs(rate * seconds - came) < 0.1 and abs(sum(rates) - rate) < 0.3
    prompt.vm.send("irqtop -d 0.5\r")  # on the terminal, until a key
    prompt.vm.wait_text(r"\x1b\[H\x1b\[Jirqtop: interrupts a second, over \d+\.\d+ s")
    prompt.vm.send("q")
    prompt.vm.wait_text(PROMPT)


def test_tables(machine):
    run = Run("proc-tables", cmdline="init=/bin/sh")
    witness.log_interrupts(run)
    prompt = Prompt(machine(config_for(run, qemu.INITRD), run.limit, run.name))
    first = parse_table(prompt.type("cat /proc/interrupts"))
    check_rings(prompt)
    check_own_rows(prompt, first)
    check_machine(prompt)
    check_irqtop(prompt)
    counted = check_affinity(prompt)
    assert prompt.end("poweroff\r") == 0
    taken = [sum(log[vector] for vector in DEVICE_VECTORS) for log in witness.interrupts(run.name)]
    assert [taken[core] for core in (0, 1, 3)] == [counted[core] for core in (0, 1, 3)]
    assert taken[2] > counted[2]  # what was typed after the last look came there, too


def row_of(rows, name):
    """(irq, counts) of the row with that handler."""
    return next((irq, found.counts) for irq, found in rows.items() if found.words[-1] == name)


def test_who_took_what(machine):
    """Keys, a ping, its sleep: each is counted in its own row, on the core that it was sent to."""
    name, qmp = "proc-who", output_path("proc-who", "qmp")
    qmp.unlink(missing_ok=True)
    run = Run(name, cmdline="init=/bin/sh console=tty0 console=ttyS0", extra=(
        "-netdev", "user,id=net,restrict=on", "-device", "e1000e,netdev=net",
        "-qmp", f"unix:{qmp},server=on,wait=off"))
    prompt = Prompt(machine(config_for(run, qemu.INITRD), run.limit, run.name))
    monitor = Monitor(qmp)

    def table():
        return parse_table(prompt.type("cat /proc/interrupts"))

    cores = {"i8042": 1, "eth0-rx": 2}
    irqs = {handler: row_of(table(), handler)[0] for handler in cores}
    for handler, core in cores.items():
        prompt.type(f"echo {1 << core} > /proc/irq/{irqs[handler]}/smp_affinity")
    before = table()
    type_keys(monitor, KEYS)
    prompt.type("on 3 ping -c 2 10.0.2.2")
    while sum((after := table())[irqs["i8042"]].counts) < \
            sum(before[irqs["i8042"]].counts) + 2 * len(KEYS):
        pass  # QEMU presses and lets go in its own time
    came = {row: [new - old for new, old in zip(after[row].counts, before[row].counts)]
            for row in (*irqs.values(), "LOC", "RES")}
    assert came[irqs["i8042"]] == [0, 2 * len(KEYS), 0, 0]
    arp_and_echoes = 3
    assert came[irqs["eth0-rx"]] == [0, 0, came[irqs["eth0-rx"]][2], 0]
    assert 1 <= came[irqs["eth0-rx"]][2] <= arp_and_echoes
    # ping slept: the boot core has the timer for all, and wakes the core that slept; a core that
    # writes to the serial port has a timer of its own meanwhile
    assert came["LOC"][0] >= 1 and came["RES"][3] >= 1
    assert prompt.end("poweroff\r") == 0


def test_kmsg(machine):
    boot(Run("proc-kmsg", init=("kmsg",), forbid=(PANIC, "^case: ", "^broken: "), expect=[
        r"kmsg: \d+ cases, 0 failed", exited(0)]), machine, programs.initrd_of("kmsg"))


@pytest.mark.soak
def test_processes_come_and_go_while_others_look(machine):
    """800 short processes, four starting at a time, while four programs read all of /proc/PID."""
    boot(Run("proc-race", init=("procrace", "200"), forbid=(PANIC, "^broken: "), limit=300,
             expect=["procrace: 0 failed", exited(0)]), machine, programs.initrd_of("procrace"))
