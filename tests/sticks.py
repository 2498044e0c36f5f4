# SPDX-License-Identifier: MIT
"""tools/usb as a module, and USB sticks that are files."""

import importlib.util
import io
import sys
from importlib.machinery import SourceFileLoader

from qemu import ROOT

STICK_SIZE = 32 << 20


def load_tool():
    """tools/usb has no suffix, so that `import` does not find it."""
    loader = SourceFileLoader("usb", str(ROOT / "tools/usb"))
    module = importlib.util.module_from_spec(importlib.util.spec_from_loader("usb", loader))
    sys.modules["usb"] = module  # dataclasses look their module up
    loader.exec_module(module)
    return module


usb = load_tool()


def used_stick(path, size=STICK_SIZE):
    """A stick that holds something already, so that what is not written is not taken for zeros."""
    with path.open("wb") as file:
        for _ in range(size >> 20):
            file.write(b"\xa5" * (1 << 20))
    return path


def written(iso, path):
    """A stick to which tools/usb has written `iso`. Returns: its path."""
    with iso.open("rb", buffering=0) as image, used_stick(path).open("r+b", buffering=0) as stick:
        usb.write_and_compare(image, stick, iso.stat().st_size, io.StringIO())
    return path
