# SPDX-License-Identifier: MIT
"""The pictures of bring-up and broadcast over the number of cores."""

import matplotlib

matplotlib.use("Agg")
from matplotlib import pyplot  # noqa: E402  (the backend comes first)

import guests  # noqa: E402

COLOURS = {"floor": "tab:gray", "carillon": "tab:blue"}
RATIO_TICKS = (1, 2, 3, 5, 10, 20, 50, 100)
NAMES = {"floor": "floor (the minimum)", "carillon": "Carillon"}


def draw(results, key, scale, unit, title):
    """One picture: above the figures with their range, below the ratio."""
    rows = results[key]
    cores = [row["cores"] for row in rows]
    figure, (above, below) = pyplot.subplots(
        2, 1, sharex=True, figsize=(8, 6.5), height_ratios=(3, 1.2), layout="constrained")
    for guest in ("floor", "carillon"):
        middle = [row[guest]["median"] / scale for row in rows]
        below_it = [(row[guest]["median"] - row[guest]["min"]) / scale for row in rows]
        above_it = [(row[guest]["max"] - row[guest]["median"]) / scale for row in rows]
        above.errorbar(cores, middle, yerr=(below_it, above_it), marker="o", capsize=4,
                       color=COLOURS[guest], label=NAMES[guest])
    if key == "bring_up":
        above.plot(cores, [row["wait_us"] / scale for row in rows], linestyle=":", color="tab:blue",
                   label="of Carillon's: the wait after INIT")
    below.plot(cores, [row["carillon"]["median"] / row["floor"]["median"] for row in rows],
               marker="o", color="tab:blue")
    below.axhline(1, color="tab:gray", linewidth=1)
    for axis in (above, below):
        axis.set_xscale("log", base=2)
        axis.set_xticks(cores, [str(count) for count in cores])
        axis.set_xticks([], minor=True)
        axis.set_yscale("log")
        axis.grid(alpha=0.3)
    for axis, ticks in ((above, [10.0 ** n for n in range(-2, 9)]), (below, RATIO_TICKS)):
        low, high = axis.get_ylim()
        axis.set_yticks(ticks, [f"{tick:,g}" if tick < 1 else f"{tick:,.0f}" for tick in ticks])
        axis.set_yticks([], minor=True)
        axis.set_ylim(min(low, 0.8) if axis is below else low, high)
    above.set_ylabel(unit)
    below.set_ylabel("Carillon / floor")
    below.set_xlabel("cores")
    above.set_title(title)
    above.legend(loc="upper left")
    path = guests.OUTPUT / f"{key}.png"
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
    return path


def draw_all(results):
    return [
        draw(results, "bring_up", 1000, "ms of guest time, median and range",
             "Bring-up: first INIT to all cores online"),
        draw(results, "broadcast", 1, "guest instructions of all cores",
             "Broadcast: send_ipi(-1) in the kernel, until every core has taken it"),
    ]
