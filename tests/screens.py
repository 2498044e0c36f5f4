# SPDX-License-Identifier: MIT
"""The screen of a machine in QEMU, read as text: from a VGA's text memory, or from the pixels of a
screendump, cell by cell, by the font's glyphs. And its keyboard, key by key."""

import re
import time

import qemu
from machine import output_path

VGA_TEXT = 0xB8000
COLUMNS, ROWS = 80, 25
GLYPH_WIDTH, GLYPH_HEIGHT = 8, 16
KEYS = {" ": "spc", "\n": "ret", "/": "slash", ".": "dot", "-": "minus", "|": "shift-backslash",
        ">": "shift-dot", "_": "shift-minus"}


def press(monitor, *keys):
    """Press these keys together, and let go of them."""
    monitor.execute("send-key", keys=[{"type": "qcode", "data": key} for key in keys])


def type_keys(monitor, text):
    """Type text at the keyboard; QEMU lets each key go before it presses the next one."""
    for char in text:
        name = KEYS.get(char, f"shift-{char.lower()}" if char.isupper() else char)
        press(monitor, *name.split("-"))


def text_mode(monitor, name):
    """The lines of the VGA's text mode, without the blanks at their ends."""
    path = output_path(name, "vga")
    monitor.execute("pmemsave", val=VGA_TEXT, size=COLUMNS * ROWS * 2, filename=str(path))
    chars = path.read_bytes()[::2].decode("cp437")
    return [chars[y * COLUMNS:(y + 1) * COLUMNS].rstrip() for y in range(ROWS)]


def glyphs():
    """A glyph's rows -> the character, from what tools/mkfont made."""
    text = (qemu.BUILD / "gen/font.inc").read_text(encoding="utf-8")
    table = re.search(r"font_glyphs.*?\{\n(.*?)\n\};", text, re.DOTALL)[1].splitlines()
    found = {}
    for first, last, index in re.findall(r"\{0x(\w{4}), 0x(\w{4}), (\d+)\}", text):
        for code in range(int(first, 16), int(last, 16) + 1):
            rows = re.findall(r"0x(..)", table[int(index) + code - int(first, 16)])
            found.setdefault(bytes.fromhex("".join(rows)), chr(code))
    return found


def read_ppm(data):
    """Width, height and the pixels, three bytes each."""
    magic, width, height, depth, pixels = re.match(rb"(P6)\s+(\d+)\s+(\d+)\s+(\d+)\s(.*)", data,
                                                   re.DOTALL).groups()
    assert magic == b"P6" and depth == b"255"
    return int(width), int(height), pixels


def cell_text(pixels, width, column, row, known):
    """The character of one cell: what differs from its background is ink."""
    rows = []
    for y in range(row * GLYPH_HEIGHT, (row + 1) * GLYPH_HEIGHT):
        at = (y * width + column * GLYPH_WIDTH) * 3
        line = pixels[at:at + GLYPH_WIDTH * 3]
        rows.append([line[x:x + 3] for x in range(0, len(line), 3)])
    colours = {pixel for line in rows for pixel in line}
    ground = min(colours) # black, or the darker one
    bits = bytes(sum((pixel != ground) << (7 - x) for x, pixel in enumerate(line)) for line in rows)
    return known.get(bits, "\N{REPLACEMENT CHARACTER}") if len(colours) <= 2 else "?"


def pixel_text(monitor, name):
    """The lines that the pixels of the screen show. A cell that is no glyph of the font, such as the
    cursor's, shows as the replacement character."""
    path = output_path(name, "ppm")
    monitor.execute("screendump", filename=str(path))
    width, height, pixels = read_ppm(path.read_bytes())
    known = glyphs()
    return ["".join(cell_text(pixels, width, x, y, known) for x in range(width // GLYPH_WIDTH)).rstrip()
            for y in range(height // GLYPH_HEIGHT)]


def wait_shown(vm, read, *patterns):
    """Look at the screen until each pattern matches a whole line. Returns: its lines."""
    while True:
        lines = read()
        missing = [p for p in patterns if not any(re.fullmatch(p, line) for line in lines)]
        if not missing:
            return lines
        if time.monotonic() > vm.deadline:
            vm.fail("the screen does not show " + repr(missing) + ":\n" + "\n".join(lines))
        time.sleep(0.05)
