"""Runs of the images that use more than one virtual CPU."""
import random

from cases import Case, Disk

CONTENT = random.Random(7).randbytes(1 << 20)


def keeps_its_promises(_, result, __):
    assert result.status == 0, result
    assert result.console.endswith("verdict: success\n"), result


CASES = [
    Case("startup", "2 vCPUs", keeps_its_promises, abis=("pvh",), vcpus=2),
    Case("vcpus", "2 vCPUs", keeps_its_promises, vcpus=2),
    Case("vcpus", "4 vCPUs", keeps_its_promises, vcpus=4),
    Case("contexts", "4 vCPUs", keeps_its_promises, abis=("pv",), vcpus=4),
    Case("fifo", "2 vCPUs", keeps_its_promises, vcpus=2),
    Case("smp", "2 vCPUs", keeps_its_promises, vcpus=2),
    Case("smp", "3 vCPUs and a disk", keeps_its_promises, Disk(CONTENT),
         vcpus=3),
    Case("race", "2 vCPUs", keeps_its_promises, abis=("pv",), vcpus=2),
    Case("race", "4 vCPUs", keeps_its_promises, abis=("pv",), vcpus=4),
]
