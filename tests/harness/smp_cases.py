"""Runs of the images that use more than one virtual CPU."""
from cases import Case


def keeps_its_promises(_, result, __):
    assert result.status == 0, result
    assert result.console.endswith("verdict: success\n"), result


CASES = [
    Case("vcpus", "2 vCPUs", keeps_its_promises, vcpus=2),
    Case("vcpus", "4 vCPUs", keeps_its_promises, vcpus=4),
]
