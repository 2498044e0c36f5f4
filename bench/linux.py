# SPDX-License-Identifier: MIT
"""Debian's Linux kernel, to measure beside Carillon, without installing it.

The package is downloaded by apt-get and unpacked into build/bench/linux; nothing outside of that
changes. QEMU boots a Linux by PVH, as it boots Carillon, from the ELF file that the package's
vmlinuz holds in compressed form.
"""

import lzma
import re
import shutil
import struct
import subprocess

from guests import OUTPUT

META_PACKAGE = "linux-image-amd64"
DIRECTORY = OUTPUT / "linux"

# Linux Documentation/x86/boot.rst, "The Real-Mode Kernel Header"
SETUP_SECTORS = 0x1f1
PAYLOAD = 0x248  # offset and length, 32 bits each, counted from behind the setup sectors


class LinuxMissing(Exception):
    """There is no Linux to measure; the text says why."""


def run(*command, **more):
    result = subprocess.run(command, capture_output=True, text=True, check=False, **more)
    if result.returncode != 0:
        raise LinuxMissing(f"{' '.join(command)}: {result.stderr.strip().splitlines()[-1:]}")
    return result.stdout


def image_package():
    """The package that the meta-package stands for today."""
    for attempt in range(2):
        found = re.search(rf"Depends: (linux-image-\S+)", run("apt-cache", "depends", META_PACKAGE))
        if found:
            return found[1]
        if attempt == 0:
            run("apt-get", "update")
    raise LinuxMissing(f"apt knows no {META_PACKAGE}")


def unpack(package):
    """Download the package and take its /boot/vmlinuz out. Returns: the path."""
    scratch = DIRECTORY / "scratch"
    shutil.rmtree(scratch, ignore_errors=True)
    scratch.mkdir(parents=True)
    run("apt-get", "download", package, cwd=scratch)
    archive, = scratch.glob("*.deb")
    run("dpkg-deb", "--extract", str(archive), str(scratch / "tree"))
    image, = (scratch / "tree/boot").glob("vmlinuz-*")
    return image


def elf_of(image):
    """The ELF file in a vmlinuz (Debian compresses it by xz)."""
    data = image.read_bytes()
    start = (data[SETUP_SECTORS] + 1) * 512
    offset, length = struct.unpack_from("<II", data, PAYLOAD)
    payload = data[start + offset:start + offset + length]
    try:
        elf = lzma.LZMADecompressor().decompress(payload)
    except lzma.LZMAError as error:
        raise LinuxMissing(f"{image.name} is not compressed by xz: {error}") from error
    if elf[:4] != b"\x7fELF":
        raise LinuxMissing(f"{image.name} holds no ELF file")
    return elf


def kernel():
    """The path of the kernel; made once. Raises LinuxMissing."""
    if any(shutil.which(tool) is None for tool in ("apt-get", "apt-cache", "dpkg-deb")):
        raise LinuxMissing("this is no Debian system")
    try:
        package = image_package()
        path = DIRECTORY / package
        if not path.exists():
            image = unpack(package)
            path.write_bytes(elf_of(image))
            shutil.rmtree(DIRECTORY / "scratch")
    except OSError as error:
        raise LinuxMissing(str(error)) from error
    return path


# ---- its initial RAM disk ------------------------------------------------------------------------


def cpio_entry(inode, name, mode, data=b"", device=(0, 0)):
    """Linux Documentation/driver-api/early-userspace/buffer-format.rst: "newc"."""
    path = name.encode() + b"\0"
    fields = (inode, mode, 0, 0, 1, 0, len(data), 0, 0, *device, len(path), 0)
    head = b"070701" + b"".join(b"%08x" % field for field in fields) + path
    return b"".join(part + b"\0" * (-len(part) % 4) for part in (head, data))


def initramfs(init, child=b""):
    """An archive with the program `init`, the one that it may run, and the console of both."""
    return b"".join((
        cpio_entry(1, "dev", 0o040755),
        cpio_entry(2, "dev/console", 0o020600, device=(5, 1)),
        cpio_entry(3, "init", 0o100755, init),
        cpio_entry(4, "child", 0o100755, child),
        cpio_entry(0, "TRAILER!!!", 0)))
