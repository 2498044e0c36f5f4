# SPDX-License-Identifier: MIT
"""tools/usb: which disks it refuses, what it asks, what it writes, and what it notices.

The disks are made-up trees of sysfs and /proc, the sticks are files. That a written stick boots is
for the rows usb-* of runs.py.
"""

import io
import os
import subprocess

import pytest

import qemu
from sticks import usb

pytestmark = pytest.mark.quick

MIB = 1 << 20
USB_PATH = "devices/pci0000:00/0000:00:14.0/usb2/2-1/2-1:1.0/host6/target6:0:0/6:0:0:0/block/sdb"
SATA_PATH = "devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sdb"
LOOP_PATH = "devices/virtual/block/sdb"
ROOT_MOUNT = "27 1 8:1 / / rw,relatime - ext4 /dev/sda1 rw\n"
SWAPS = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n"


# ---- made-up machines ----------------------------------------------------------------------------


class Tree:
    """sysfs and /proc of a machine with one disk, sdb 8:16, and its partition sdb1 8:17.

    Source: Linux, "ABI stable symbols", "ABI testing symbols" (sysfs-block).
    """

    def __init__(self, root, path=USB_PATH, **attributes):
        self.sysfs, self.proc = root / "sys", root / "proc"
        self.disk = self.sysfs / path
        self.part = self.disk / "sdb1"
        self.make(self.disk, "8:16", {"removable": "1", "ro": "0", "size": "65536", "diskseq": "9",
                                      **attributes})
        self.make(self.part, "8:17", {"partition": "1", "ro": "0", "size": "10960"})
        (self.sysfs / "block").mkdir()
        (self.sysfs / "block/sdb").symlink_to(self.disk)
        self.write(self.disk / "device/vendor", "Acme    ")
        self.write(self.disk / "device/model", "Ultra Stick     ")
        if "/usb" in path:
            device = next(one for one in self.disk.parents if one.name == "2-1")
            self.write(device / "idVendor", "0781")
            self.write(device / "serial", "4C530001")
        self.use()

    def make(self, place, number, attributes):
        (place / "holders").mkdir(parents=True)
        for name, value in {"dev": number, **attributes}.items():
            self.write(place / name, value)
        link = self.sysfs / "dev/block" / number
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(place)

    def write(self, path, text):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n", encoding="utf-8")

    def use(self, mounts="", swaps=""):
        self.write(self.proc / "self/mountinfo", ROOT_MOUNT + mounts)
        self.write(self.proc / "swaps", SWAPS + swaps)

    def judge(self, path="/dev/sdb", number="8:16", size=5 * MIB):
        return usb.judge(usb.Node(path, number), self.sysfs, self.proc, size)


def refused(*arguments, **more):
    """A row: how the tree differs, and a part of the sentence that must come."""
    *changes, sentence = arguments
    return pytest.param(changes, more, sentence)


def mount(number, source, point="/media/stick"):
    return lambda tree: tree.use(mounts=f"99 27 {number} / {point} rw - vfat {source} rw\n")


def swap(name):
    return lambda tree: tree.use(swaps=f"/dev/{name} partition 5000 0 -2\n")


REFUSED = {
    "fixed": refused("is a fixed disk", path=SATA_PATH, removable="0"),
    "loop": refused("is a fixed disk", path=LOOP_PATH, removable="0"),
    "cd-drive": refused(lambda tree: tree.write(tree.disk / "device/type", "5"), "is a CD or DVD"),
    "no-medium": refused("has no medium in it", size="0"),
    "read-only": refused("is read-only", ro="1"),
    "mounted-disk": refused(mount("8:16", "/dev/sdb"), "/dev/sdb is mounted on /media/stick;"),
    "mounted-partition": refused(mount("8:17", "/dev/sdb1"), "/dev/sdb1 is mounted on /media"),
    "mounted-by-other-name": refused(mount("8:17", "/dev/root"), "/dev/sdb1 is mounted on"),
    "mounted-btrfs": refused(mount("0:45", "/dev/sdb1"), "/dev/sdb1 is mounted on"),
    "mounted-with-blank": refused(mount("8:17", "/dev/sdb1", r"/media/my\040stick"),
                                  "is mounted on /media/my stick;"),
    "swap-disk": refused(swap("sdb"), "/dev/sdb is in use as swap"),
    "swap-partition": refused(swap("sdb1"), "/dev/sdb1 is in use as swap"),
    "holder-of-disk": refused(lambda tree: (tree.disk / "holders/md0").mkdir(),
                              "/dev/sdb is part of /dev/md0"),
    "holder-of-partition": refused(lambda tree: (tree.part / "holders/dm-3").mkdir(),
                                   "/dev/sdb1 is part of /dev/dm-3"),
    "too-small": refused("is too small: it has 5242368 bytes, the image 5242880", size="10239"),
    "no-flag": refused(lambda tree: (tree.disk / "ro").unlink(), "cannot be judged"),
    "no-mountinfo": refused(lambda tree: (tree.proc / "self/mountinfo").unlink(),
                            "cannot be judged"),
}


@pytest.mark.parametrize("changes, attributes, sentence", REFUSED.values(), ids=REFUSED)
def test_refused(changes, attributes, sentence, tmp_path):
    tree = Tree(tmp_path, **attributes)
    for change in changes:
        change(tree)
    with pytest.raises(usb.Refused, match=usb.re.escape(sentence)):
        tree.judge()
    assert not list(usb.sticks(tree.sysfs, tree.proc, 5 * MIB))


def test_good_stick(tmp_path):
    tree = Tree(tmp_path)
    disk = tree.judge()
    assert (disk.vendor, disk.model, disk.serial) == ("Acme", "Ultra Stick", "4C530001")
    assert (disk.name, disk.size) == ("sdb", 32 * MIB)
    assert list(usb.sticks(tree.sysfs, tree.proc, 5 * MIB)) == [disk]


def test_names_do_not_steer_the_terminal(tmp_path):
    tree = Tree(tmp_path)
    tree.write(tree.disk / "device/model", "\x1b[2J\x9bStick\u202e")
    assert tree.judge().model == "?[2J?Stick?"


@pytest.mark.parametrize("path, removable", [(USB_PATH, "0"), (SATA_PATH, "1")])
def test_usb_or_removable_is_enough(path, removable, tmp_path):
    """A hard disk in a USB case says that it is not removable; a card reader may be on PCI."""
    assert Tree(tmp_path, path=path, removable=removable).judge().name == "sdb"


def test_just_large_enough(tmp_path):
    assert Tree(tmp_path, size="10240").judge().size == 5 * MIB


def test_partition(tmp_path):
    with pytest.raises(usb.Refused, match="sdb1 is a partition; the whole disk is /dev/sdb$"):
        Tree(tmp_path).judge("/dev/sdb1", "8:17")


def test_number_without_disk(tmp_path):
    with pytest.raises(usb.Refused, match="knows no disk 8:32"):
        Tree(tmp_path).judge("/dev/sdc", "8:32")


@pytest.mark.parametrize("path, sentence", [
    ("/dev/no-such-disk", "No such file"), ("/dev/null", "not a block device"),
    (__file__, "not a block device")])
def test_no_block_device(path, sentence):
    with pytest.raises(usb.Refused, match=sentence):
        usb.find_node(path)


# ---- writing and comparing -----------------------------------------------------------------------


class Stick(io.FileIO):
    """A file that takes `most` bytes in a write, and flips a bit of the byte `flip` when read."""

    def __init__(self, path, most=None, flip=None, room=None):
        super().__init__(path, "r+")
        self.most, self.flip, self.room = most, flip, room

    def write(self, data):
        if self.room is not None and self.tell() + len(data) > self.room:
            raise OSError(usb.errno.EIO, os.strerror(usb.errno.EIO))
        return super().write(data[:self.most])

    def readinto(self, buffer):
        at = self.tell()
        count = super().readinto(buffer)
        if self.flip is not None and at <= self.flip < at + count:
            buffer[self.flip - at] ^= 0x10
        return count


# Two and a half chunks, no two of whose blocks are alike.
IMAGE = b"".join(block.to_bytes(4, "little") * 128 for block in range((2 * MIB + MIB // 2) // 512))


@pytest.fixture
def image(tmp_path):
    path = tmp_path / "image"
    path.write_bytes(IMAGE)
    with path.open("rb", buffering=0) as file:
        yield file


@pytest.fixture
def stick_path(tmp_path):
    path = tmp_path / "stick"
    path.write_bytes(b"\xa5" * (4 * MIB))
    return path


def put(image, stick):
    usb.write_and_compare(image, stick, len(IMAGE), io.StringIO())


@pytest.mark.parametrize("most", [None, 100_000, 4096])
def test_written_whole(most, image, stick_path):
    with Stick(stick_path, most=most) as stick:
        put(image, stick)
    assert stick_path.read_bytes() == IMAGE + b"\xa5" * (4 * MIB - len(IMAGE))


@pytest.mark.parametrize("flip", [0, MIB - 1, MIB, 2 * MIB + MIB // 2 - 1])
def test_difference(flip, image, stick_path):
    with Stick(stick_path, flip=flip) as stick, pytest.raises(usb.Failed) as failure:
        put(image, stick)
    assert str(failure.value).endswith(f"first difference at byte {flip}")


def test_difference_behind_the_image(image, stick_path):
    with Stick(stick_path, flip=len(IMAGE)) as stick:
        put(image, stick)


def test_stick_shrinks(tmp_path, stick_path):
    """A stick that has less than it says: the missing byte is the first that differs. The blocks
    are all alike here, so that what was read before cannot pass for what is missing."""
    path = tmp_path / "zeros"
    path.write_bytes(bytes(len(IMAGE)))
    with path.open("rb", buffering=0) as image, Stick(stick_path) as stick:
        usb.write_image(image, stick, usb.Progress("", len(IMAGE), io.StringIO()))
        stick.truncate(MIB + 8192)
        with pytest.raises(usb.Failed, match=f"first difference at byte {MIB + 8192}$"):
            usb.compare_image(image, stick, usb.Progress("", len(IMAGE), io.StringIO()))


def test_write_error(image, stick_path):
    with Stick(stick_path, room=2 * MIB) as stick, pytest.raises(usb.Failed) as failure:
        put(image, stick)
    assert str(failure.value) == f"writing failed behind byte {2 * MIB}: Input/output error"


def test_takes_nothing(image, stick_path):
    with Stick(stick_path, most=0) as stick, pytest.raises(usb.Failed, match="takes no more data"):
        put(image, stick)


def test_read_back_bypasses_the_cache(image, stick_path, monkeypatch):
    """The read-back asks for direct access; a file system that has none is no failure."""
    asked = []
    monkeypatch.setattr(usb.os, "posix_fadvise", lambda *given: asked.append(given[3]))
    with Stick(stick_path) as stick:
        put(image, stick)
        assert asked == [os.POSIX_FADV_DONTNEED]
        direct = usb.fcntl.fcntl(stick.fileno(), usb.fcntl.F_GETFL) & os.O_DIRECT
    with open(stick_path, "rb") as other:
        try:
            usb.fcntl.fcntl(other.fileno(), usb.fcntl.F_SETFL, os.O_DIRECT)
        except OSError:
            pytest.skip("no direct access on this file system")
    assert direct


class Terminal(io.StringIO):
    def isatty(self):
        return True


def progress(stream):
    ticks = iter([10.0, 10.5, 12.0])
    line = usb.Progress("writing ", 4_000_000, stream, clock=lambda: next(ticks))
    line.show(1_000_000)
    line.show(4_000_000)
    return stream.getvalue()


def test_progress_on_a_terminal():
    assert progress(Terminal()) == (
        "\rwriting    25 %  1.0 of 4.0 MB  2.0 MB/s\x1b[K"
        "\rwriting   100 %  4.0 of 4.0 MB  2.0 MB/s\x1b[K\n")


def test_progress_in_a_file():
    assert progress(io.StringIO()) == "writing   100 %  4.0 of 4.0 MB  2.0 MB/s\n"


# ---- asking --------------------------------------------------------------------------------------


class Session:
    """write_stick() from end to end; the file `stick` stands for the disk 8:16."""

    def __init__(self, tmp_path, image, stick_path, monkeypatch):
        self.tree = Tree(tmp_path)
        self.image, self.stick = image, stick_path
        self.before = stick_path.read_bytes()
        self.node = usb.Node(str(stick_path), "8:16")
        monkeypatch.setattr(usb, "block_number", lambda *_: self.node.number)

    def run(self, source, yes=""):
        output = io.StringIO()
        usb.write_stick(self.node, self.image.name, yes, source, output,
                        self.tree.sysfs, self.tree.proc)
        return output.getvalue()

    def is_untouched(self):
        return self.stick.read_bytes() == self.before

    def is_written(self):
        return self.stick.read_bytes().startswith(IMAGE)


@pytest.fixture
def session(tmp_path, image, stick_path, monkeypatch):
    return Session(tmp_path, image, stick_path, monkeypatch)


def test_right_answer(session):
    said = session.run(Terminal("sdb\n"))
    assert "serial  4C530001\n  size    33.6 MB (33554432 bytes)" in said
    assert (f"Write {session.image.name} to {session.stick} (Acme Ultra Stick, 33.6 MB)?"
            " Type the device's name to go on: ") in said
    assert said.endswith("it can be taken out.\n")
    assert session.is_written()


def test_kernel_reads_the_new_partitions(session, monkeypatch):
    """Also when the comparison failed: the old ones are gone in any case."""
    asked = []
    monkeypatch.setattr(usb.fcntl, "ioctl", lambda file, request: asked.append(request))
    session.run(Terminal("sdb\n"))
    monkeypatch.setattr(usb, "compare_image", fail_to_compare)
    with pytest.raises(usb.Failed):
        session.run(Terminal("sdb\n"))
    assert asked == [usb.BLKRRPART] * 2


def fail_to_compare(*_):
    raise usb.Failed("made up")


@pytest.mark.parametrize("vendor, model, title", [
    ("Acme", "Ultra", "Acme Ultra"), ("QEMU", "QEMU HARDDISK", "QEMU HARDDISK"),
    ("", "Ultra", "Ultra"), ("", "", "unknown model")])
def test_title(vendor, model, title):
    node = usb.Node("/dev/sdb", "8:16")
    assert usb.Disk(node, "sdb", vendor, model, "", 1, "").title() == title


def test_path_is_an_answer_too(session):
    session.run(Terminal(f"{session.stick}\n"))
    assert session.is_written()


@pytest.mark.parametrize("answer", ["", "\n", "y\n", "yes\n", "sda\n", "sdb1\n", "SDB\n"])
def test_wrong_answer(answer, session):
    with pytest.raises(usb.Refused, match="nothing was written"):
        session.run(Terminal(answer))
    assert session.is_untouched()


def test_no_terminal(session):
    with pytest.raises(usb.Refused, match="no terminal to ask at; .* YES=sdb"):
        session.run(io.StringIO("sdb\n"))
    assert session.is_untouched()


def test_answer_beforehand(session):
    assert "Type the device's name" not in session.run(io.StringIO(), yes="sdb")
    assert session.is_written()


@pytest.mark.parametrize("yes", ["yes", "1", "sda"])
def test_wrong_answer_beforehand(yes, session):
    with pytest.raises(usb.Refused, match=f"'{yes}' is not sdb; nothing was written"):
        session.run(Terminal("sdb\n"), yes=yes)
    assert session.is_untouched()


class Slow(Terminal):
    """Somebody who does something else before answering."""

    def __init__(self, act):
        super().__init__("sdb\n")
        self.act = act

    def readline(self, *given):
        self.act()
        return super().readline(*given)


def interrupt():
    raise KeyboardInterrupt


MEANWHILE = {
    "another stick": (lambda s: s.tree.write(s.tree.disk / "diskseq", "10"), "was exchanged"),
    "another device": (lambda s: setattr(s, "node", usb.Node(s.node.path, "8:32")),
                       "became another device"),
    "mounted": (lambda s: mount("8:17", "/dev/sdb1")(s.tree), "is mounted on"),
    "gone": (lambda s: s.stick.rename(s.stick.with_suffix(".gone")), "No such file"),
    "control-c": (lambda s: interrupt(), "nothing was written"),
}


@pytest.mark.parametrize("act, sentence", MEANWHILE.values(), ids=MEANWHILE)
def test_meanwhile(act, sentence, session):
    with pytest.raises(usb.Refused, match=sentence):
        session.run(Slow(lambda: act(session)))
    if session.stick.exists():
        assert session.is_untouched()


@pytest.mark.parametrize("error, sentence", [
    (usb.errno.EBUSY, "the kernel says that it is in use$"),
    (usb.errno.EACCES, "only root may write to it: sudo tools/usb ")])
def test_open_fails(error, sentence, session, monkeypatch):
    asked = []

    def fail(path, flags):
        asked.append((path, flags))
        raise OSError(error, os.strerror(error), path)

    monkeypatch.setattr(usb.os, "open", fail)
    with pytest.raises(usb.Refused, match=sentence):
        usb.hold(session.tree.judge())
    assert asked[0][1] & os.O_EXCL


# ---- the program ---------------------------------------------------------------------------------


def run_tool(*arguments):
    return subprocess.run([qemu.ROOT / "tools/usb", *arguments], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, timeout=60, check=False)


def test_rehearsal(image, tmp_path):
    """--file writes to a new file, and never to one that is there."""
    target = tmp_path / "new"
    result = run_tool("--image", image.name, "--file", target)
    assert result.returncode == 0 and "comparing" in result.stdout
    assert target.read_bytes() == IMAGE
    target.write_bytes(b"precious")
    result = run_tool("--image", image.name, "--file", target)
    assert result.returncode == 1 and "File exists" in result.stderr
    assert target.read_bytes() == b"precious"


@pytest.mark.parametrize("arguments, sentence", [
    ([], "which disk? make usb DEV=/dev/sdX."),
    (["/dev/null"], "usb: /dev/null is not a block device"),
    (["--image", "/dev/null", "/dev/null"], "usb: /dev/null is empty"),
    (["--image", "/no/image", "/dev/null"], "usb: /no/image: No such file or directory")])
def test_refusing_program(arguments, sentence, image):
    given = arguments if "--image" in arguments else ["--image", image.name, *arguments]
    result = run_tool(*given)
    assert result.returncode == 1 and result.stderr.startswith(("usb: ", sentence))
    assert sentence in result.stderr
