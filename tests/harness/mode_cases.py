"""Runs of the image with user programs where not all kinds of them can be had:
on the process engine, too."""
from cases import Case


def keeps_its_promises(_, result, __):
    assert result.status == 0, result
    assert result.console.endswith("verdict: success\n"), result


# What can be had of an image where the whole of it cannot.
ANYWHERE = [("usermode", "64-bit programs")]

CASES = [
    Case("usermode", "64-bit programs", keeps_its_promises, args=("64",),
         abis=("pv",)),
]
