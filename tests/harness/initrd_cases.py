"""Runs of the images that tell what they find in the file beside the kernel."""
import random

from cases import Case, sum_of

PAGE = 4096
INITRD = random.Random(4).randbytes(300001)


def _arrived(_, result, __):
    padded = INITRD + bytes(-len(INITRD) % PAGE)
    assert result.status == 0, result
    assert f"module of {len(padded)} bytes, sum {sum_of(padded)}\n" in \
        result.console, result
    assert result.console.endswith("verdict: success\n"), result


def _there_is_none(_, result, __):
    assert result.status == 0, result
    assert result.console == "no module\nverdict: success\n", result


CASES = [
    Case("initrd", "", _arrived, initrd=INITRD),
    Case("initrd", "without one", _there_is_none),
    Case("initrd_unmapped", "", _arrived, initrd=INITRD, abis=("pv",)),
]
