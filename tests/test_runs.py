# SPDX-License-Identifier: MIT
"""Boot every row of the table in runs.py and hold it to what the row says."""

import pytest

from booting import boot
from runs import RUNS


def params():
    for run in RUNS:
        yield pytest.param(run, id=run.name, marks=[pytest.mark.quick] if run.quick else [])


def test_names_are_unique():
    names = [run.name for run in RUNS]
    assert len(names) == len(set(names))


@pytest.mark.parametrize("run", params())
def test_run(run, machine):
    boot(run, machine)
