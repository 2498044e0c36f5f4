# SPDX-License-Identifier: MIT
"""What all tests share: the marks, the order, and the machines that a test starts."""

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
sys.path[:0] = [str(ROOT / "tools"), str(ROOT / "tests")]
sys.dont_write_bytecode = True


def pytest_configure(config):
    config.addinivalue_line("markers", "quick: one of the short pick, `make test T=quick`")
    config.addinivalue_line("markers", "soak: for `make soak`, and not for `make test`")
    config.addinivalue_line("markers", "pick: one of the soak that is in `make test` too")
    config.addinivalue_line(
        "markers", "xdist_group: side by side with others, but not with those of its group")
    # pexpect's own
    config.addinivalue_line("filterwarnings", "ignore:setDaemon:DeprecationWarning")


# They use what there is but once: build/run, gdb's port.
GROUP = "one by one"
ONE_BY_ONE = ("test_build.py", "test_console.py", "test_docs.py", "test_gdb.py", "test_tools.py",
              "test_user_programs.py")


@pytest.hookimpl(tryfirst=True)  # in this hook, too, xdist reads the groups
def pytest_collection_modifyitems(items):
    """Host tests first: they are quick, and what they find explains what comes after."""
    items.sort(key=lambda item: item.path.name != "test_host.py")
    for item in items:
        if item.path.name in ONE_BY_ONE:
            item.add_marker(pytest.mark.xdist_group(GROUP))


@pytest.fixture
def machine(request):
    """Starts machines, machine(config, limit=seconds, name=...); all are ended with the test."""
    from machine import Machine  # here, so that the host tests do without pexpect

    started = []

    def start(config, limit=120, name=None):
        name = name or request.node.name
        started.append(Machine(config, name + (f"-{len(started)}" if started else ""), limit))
        return started[-1]

    yield start
    for one in started:
        one.close()
