# SPDX-License-Identifier: MIT
"""The one table of QEMU runs: a row says what is booted, and what must come of it."""

from dataclasses import dataclass, field

PANIC = r"panic: core \d+"
# What the tests of PCI (src/drivers/pci_selftest.c) let interrupt: two cards in slots whose first
# pins are one line on both machines, and one with MSI-X.
CARDS = ("-device", "edu,addr=5", "-device", "edu,addr=9", "-device", "virtio-rng-pci,addr=6")
STAYS = "stays"  # as a status: the machine halts and does not end


@dataclass
class Run:
    """One boot of the shipped kernel, from power-on to power-off."""

    name: str
    boot: str = "pvh"  # "iso": GRUB from the disc; "pvh": QEMU loads kernel and initrd itself
    usb: str = ""  # "ehci" or "xhci": the disc's image is on a USB stick, as tools/usb writes it
    smp: str = "4"
    machine: str = "q35"
    firmware: str = "bios"  # or "uefi"
    mem: str = "256M"
    cpu: str = "max"
    cmdline: str = ""  # after `debugexit`
    # A test program and its arguments, ("ring", "+100"): it is init=/bin/ring then, from the test
    # programs' archive. Without one the shipped archive's /init runs.
    init: tuple = ()
    args: tuple = ()  # the shipped /init's arguments: "demo" alone makes it end
    extra: tuple = ()  # more options for QEMU
    limit: int = 60  # seconds for all of it
    # Lines in their order, as regular expressions for the whole line without its stamp. A set
    # stands for lines that come in any order among themselves.
    expect: list = field(default_factory=list)
    forbid: tuple = (PANIC,)  # regular expressions that no line may contain
    status: int = 0  # what the kernel writes to isa-debug-exit; None: it ends without (S5)
    debugexit: bool = True
    quick: bool = False  # in the short pick too

    def command_line(self):
        words = ["debugexit"] if self.debugexit else []
        words += [self.cmdline] if self.cmdline else []
        if self.init:
            words += [f"init=/bin/{self.init[0]}"]
        arguments = self.init[1:] or self.args
        words += ["--", *arguments] if arguments else []
        return " ".join(words)


def received(cores):
    """The lines of a ring on each of these cores; rings may fold."""
    return {rf"Received IPI {core}(?: \(\d+ rings\))?" for core in cores}


def exited(status):
    return rf"init: exited with status {status}"


DEMO = ("demo",)


def demo(name, online=4, cores=None, before=(), rung=None, **more):
    """The demonstration on a machine with `cores` core indices of which `online` answer."""
    cores = cores or online
    no_warp = [rf"clock: no warp between the counters of {online} cores.*"] if online > 1 else []
    return Run(name, args=DEMO, **{"expect": [*before, rf"smp: {online} of {cores} cores online.*", *no_warp,
                                   received(rung or range(online)), exited(0)], **more})


def small(name, online=4, before=(), **more):
    """The least program on a machine of that many cores: one ring each, so nothing folds."""
    return Run(name, init=("small",), **{
        "expect": [*before, rf"smp: {online} of {online} cores online.*",
                   {"rung by sixteen instructions", *(rf"Received IPI {c}" for c in range(online))},
                   exited(0)], **more})


def clock(name, word, source, **more):
    return demo(f"clock-{name}", before=[rf"clock: TSC at \d+ kHz, by the {source}.*"],
                cmdline=f"clock={word}" if word else "", **more)


NO_ACPI = r"ACPI: no root pointer: this machine cannot power off"


def lent(size):
    """A machine of more memory than the host has: it lends only what is touched, page by page."""
    return {"mem": size, "machine": "q35,memory-backend=ram", "extra": (
        "-object", f"memory-backend-ram,id=ram,size={size},reserve=off,share=on")}


# The disc as it is shipped, without `debugexit`: it ends by ACPI S5.
DISCS = [
    demo("iso-demo", boot="iso", debugexit=False, status=None, quick=True),
    demo("iso-pc", boot="iso", machine="pc", debugexit=False, status=None),
    demo("iso-debugexit", boot="iso"),
    demo("iso-one-core", 1, boot="iso", smp="1"),
    demo("iso-eight-cores", 8, boot="iso", smp="8"),
    demo("uefi", boot="iso", firmware="uefi", debugexit=False, status=None, limit=120),
    demo("uefi-pc", boot="iso", firmware="uefi", machine="pc", limit=120),
]

STICKS = [
    demo(f"usb-{usb}-{firmware}", boot="iso", usb=usb, firmware=firmware, debugexit=False,
         status=None, limit=120)
    for usb in ("ehci", "xhci") for firmware in ("bios", "uefi")
]

CORES = [
    *(small(f"cores-{machine}-{cores}", cores, smp=str(cores), machine=machine,
            quick=machine == "q35" and cores in (1, 4))
      for machine in ("q35", "pc") for cores in (1, 2, 4, 8)),
    demo("cores-32", 32, smp="32"),
    demo("sparse-ids", 6, smp="6,sockets=2,cores=3",
         before=[{rf"smp: core {core} online \(APIC id {apic_id}\)"
                  for core, apic_id in ((1, 1), (2, 2), (3, 4), (4, 5), (5, 6))}]),
    demo("sparse-ids-threads", 12, smp="12,sockets=2,cores=3,threads=2",
         before=[{r"smp: core 11 online \(APIC id 13\)"}]),
    demo("slots-without-cores", 2, smp="2,maxcpus=4"),
    demo("nosmp", 1, 4, cmdline="nosmp"),
    demo("maxcpus-2", 2, 4, cmdline="maxcpus=2"),
    demo("maxcpus-beyond", cmdline="maxcpus=100"),
    demo("core-dead", 3, 4, rung=(0, 1, 3), cmdline="ap_dead=2", quick=True,
         before=[r"smp: core 2 \(APIC id 2\) did not reach the trampoline.*"]),
    demo("cores-dead", 1, 4, cmdline="ap_dead=1,2,3",
         before=[{rf"smp: core {core} .* left behind" for core in (1, 2, 3)}]),
    demo("core-dead-uneven", 6, 8, rung=(0, 1, 3, 4, 6, 7), smp="8", cmdline="ap_dead=2 ap_dead=5"),
]

CLOCKS = [
    clock("auto", "", "HPET"),
    clock("hpet", "hpet", "HPET"),
    clock("pmtimer", "pmtimer", "ACPI PM timer"),
    clock("pit", "pit", "PIT"),
    clock("no-hpet", "", "ACPI PM timer", machine="q35,hpet=off"),
    clock("no-pit", "", "HPET", machine="pc,pit=off"),
    clock("no-pit-pmtimer", "pmtimer", "ACPI PM timer", machine="q35,pit=off,hpet=off"),
    # what was asked for is not there: another is taken, in words
    demo("clock-asked-in-vain", machine="q35,hpet=off", cmdline="clock=hpet",
         before=[r"clock: what clock= asks for is not to be had; trying the others",
                 r"clock: TSC at \d+ kHz, by the ACPI PM timer.*"]),
    demo("clock-pit-in-vain", machine="q35,pit=off", cmdline="clock=pit",
         before=[r"clock: what clock= asks for is not to be had; trying the others",
                 r"clock: TSC at \d+ kHz, by the HPET.*"]),
    demo("clock-tsc-in-vain", cmdline="clock=tsc",
         before=[r"clock: what clock= asks for is not to be had; trying the others"]),
    # no reference at all: the time is guessed, and all else works
    demo("clock-none", machine="pc,hpet=off,pit=off,acpi=off", online=1,
         before=[r"clock: nothing here tells the time; .*"]),
]

MACHINES = [
    *(small(f"cpu-{cpu}", cpu=cpu) for cpu in ("qemu64", "Nehalem", "EPYC", "max,-smap,-smep,-umip",
                                               "qemu64,-nx")),
    Run("cpu-32-bit", cpu="qemu32", expect=[r"Carillon needs a 64-bit CPU.*"], status=STAYS),
    small("memory-4M", mem="4M"),
    demo("memory-12M-disc", boot="iso", mem="12M"),  # GRUB itself wants 4 for its screen
    small("memory-16M", mem="16M"),
    small("memory-32M", mem="32M"),
    small("memory-2G", mem="2G"),
    small("memory-beyond-4G", mem="3G", before=[r"memory: 30\d\d MiB usable.*"]),
    small("memory-8G", **lent("8G"), before=[r"memory: 81[89]\d MiB usable.*"]),
    demo("memory-64G", **lent("64G"), before=[r"memory: 655[23]\d MiB usable.*"]),
    demo("no-acpi-tables", boot="iso", machine="q35,acpi=off"),  # SeaBIOS brings tables of its own
    # without ACPI SeaBIOS's MP table names the cores, the first of each socket
    demo("no-acpi", machine="pc,acpi=off", smp="4,sockets=4,cores=1", quick=True,
         before=[NO_ACPI, r"mp: MP table at 0xf\w+, processors: 4, I/O APICs: 1",
                 r"apic: I/O APIC 0 at 0xfec00000, gsi 0 to 23"]),
    demo("no-acpi-disc", boot="iso", machine="pc,acpi=off", smp="4,sockets=4,cores=1",
         before=[NO_ACPI, r"mp: MP table at 0xf\w+, processors: 4, I/O APICs: 1"]),
    demo("no-acpi-one-socket", 1, machine="pc,acpi=off",
         before=[NO_ACPI, r"mp: MP table at 0xf\w+, processors: 1, I/O APICs: 1"]),
    Run("no-acpi-no-s5", args=DEMO, machine="pc,acpi=off", debugexit=False, status=STAYS,
        expect=[exited(0), r"power off: .*no ACPI S5.*halt"]),
    Run("s5-pvh", args=DEMO, expect=[exited(0)], debugexit=False, status=None),
]

def calls(name, cores, online=None, dead=-1, gsis=24, **more):
    """Every call's results and errors (tests/user/calls.c) on a machine of that kind."""
    return Run(f"calls-{name}", init=(
        "calls", f"cores={cores}", f"online={online or cores}", f"dead={dead}", f"gsis={gsis}"),
        expect=[r"calls: \d{4} cases, 0 failed", exited(0)],
        **{"smp": str(cores), "forbid": (PANIC, "^case: ", "hidden by console off"), **more})


CALLS = [
    calls("1", 1),
    calls("4", 4, quick=True),
    calls("8-pc", 8, machine="pc"),
    calls("dead", 4, 3, dead=2, cmdline="ap_dead=2"),
    calls("maxcpus", 4, 2, dead=3, cmdline="maxcpus=2"),
    calls("nosmp", 4, 1, dead=1, cmdline="nosmp"),
    calls("no-acpi", 1, machine="pc,acpi=off"),
    calls("qemu64", 2, cpu="qemu64"),
    calls("disc", 4, boot="iso"),
]

REGISTERS = [
    Run(f"registers-{cpu}", cpu=cpu, init=("registers",), forbid=(PANIC, "changed$"), quick=quick,
        expect=["registers: now across interrupts", "registers: all kept", exited(0)])
    for cpu, quick in (("max", True), ("qemu64", False))
]

PROGRAMS = [
    Run("status-low-byte", init=("status", "519"), expect=[exited(7)], status=7),
    Run("status-120", init=("status", "-1"), expect=[exited(255)], status=120),
    Run("status-s5", init=("status", "3"), expect=[exited(3)], status=None, debugexit=False),
]

RUNS = [*DISCS, *STICKS, *CORES, *CLOCKS, *MACHINES, *CALLS, *REGISTERS, *PROGRAMS]
