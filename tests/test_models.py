# SPDX-License-Identifier: MIT
"""tools/models on small models of its own: what is not as it should be is an error. The real models
are verified by `make check`."""

import shutil
import subprocess

import pytest

import qemu

pytestmark = pytest.mark.skipif(shutil.which("spin") is None, reason="spin is not installed")

GOOD = """/* SPDX-License-Identifier: MIT */
/*
 * Two additions.
 *
 * Steps
 *     S3  add_ring  src/smp/ipi.c
 *
 * Bugs
 *     BUG_IN_TWO  the addition is no single step
 */
byte sum, done;

active [2] proctype adder()
{
#if defined(BUG_IN_TWO)
    byte seen = sum;
    sum = seen + 1; /* S3 */
#else
    sum++; /* S3 */
#endif
    done++;
    done == 2;
    assert(sum == 2)
}
"""


def verify(directory, text):
    (directory / "sample.pml").write_text(text, encoding="utf-8")
    return subprocess.run([qemu.ROOT / "tools/models", "--directory", directory, "--output", directory],
                          capture_output=True, text=True, check=False)


def test_good(tmp_path):
    result = verify(tmp_path, GOOD)
    assert result.returncode == 0, result.stdout + result.stderr
    assert "holds" in result.stdout and "finds (sum==2)" in result.stdout


@pytest.mark.parametrize("old, new, says", [
    ("sum = seen + 1; /* S3 */", "sum++; /* S3 */", "NO: the bug is not found"),
    ("    sum++; /* S3 */", "    sum = 1; /* S3 */", "NO: assertion violated (sum==2)"),
    ("sum = seen + 1; /* S3 */", "sum = seen + 1; false; /* S3 */", "NO: invalid end state"),
    ("    done++;", "    if :: sum > 2 -> sum = 0 :: else fi; done++;", "adder: never reached: sum = 0"),
    ("defined(BUG_IN_TWO)", "defined(BUG_IN_ONE)", "BUG_IN_TWO: the model does not know it"),
    ("S3  add_ring", "S9  add_ring", "step S9: not marked in add_ring(), src/smp/ipi.c"),
    ("S3  add_ring", "S3  no_function", "step S3: no function no_function() in src/smp/ipi.c"),
    ("sum++; /* S3 */", "sum++ +;", "NO: spin:"),
])
def test_not_as_it_should_be(old, new, says, tmp_path):
    assert GOOD.count(old) == 1
    result = verify(tmp_path, GOOD.replace(old, new))
    assert result.returncode == 1
    assert says in result.stdout + result.stderr
