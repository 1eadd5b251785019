#!/usr/bin/env python3
"""Every image keeps its promises on real Xen, as PV and as PVH domU, with its
devices served by Linux's blkback and netback. What is expected is what tests/system/images.py
expects of our host. One emulated machine runs them all."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]
import expect  # noqa: E402
import tap  # noqa: E402
import verdicts  # noqa: E402
from cases import Case  # noqa: E402
import xen_guests  # noqa: E402
import xen_lab  # noqa: E402
import xen_net_cases  # noqa: E402

PATIENCE = 600  # seconds; a cell may wait for all guests
# What Linux's blkback offers and a case is about: its keys in xenstore.
AGREED = {"a deep queue": 'ring-page-order = "4"',
          "persistent grants": 'feature-persistent = "1"'}


class Runs:
    """The guests to run, and the machine that does; or why there is none."""

    def __init__(self):
        self.guests = []
        self.machine = self.why_not = None
        self._taken = None

    def start(self):
        self._taken = self.machine.take()

    def wait_for(self, guest):
        """Until it has ended; for all of them if there is no (guest)."""
        if self.why_not:
            raise tap.Skip(self.why_not)
        while guest is None or guest.status is None:
            if next(self._taken, None) is None:
                break
        assert guest is None or guest.status is not None, \
            "the machine ended before it came to this guest"


def is_as_expected(abi):
    return lambda case, result, _: \
        expect.check(case.image, result, abi, "real Xen")


def powers_off_when_asked(_, result, __):
    assert result.status == 3, result
    assert result.console == "ready\nasked to end: 0\n", result


def keeps_its_promises(_, result, __):
    assert result.status == 0, result
    assert result.console.endswith("verdict: success\n"), result


STRANGER = Case("pvh_small", "", keeps_its_promises, abis=("pvh",))
ASKED = Case("ending", "asked by xl shutdown", powers_off_when_asked,
             args=["wait", "3"])
# Those with disks last: what became of these is seen when all have ended.
CASES = sorted([*(Case(name, "", is_as_expected(abi), abis=(abi,),
                       vcpus=verdicts.VCPUS.get(name, 1))
                  for name in expect.IMAGES for abi in ("pv", "pvh")),
                *expect.CASES, ASKED, STRANGER, *xen_net_cases.CASES],
               key=lambda case: bool(case.disks))


def comes_out_right(runs, case, guest):
    runs.wait_for(guest)
    if case.disks:
        runs.wait_for(None)
    case.check(guest, {disk.vdev: runs.machine.disk(guest, disk.vdev)
                       for disk in case.disks})
    assert AGREED.get(case.more, "") in guest.store, guest.store


def has_no_use(case, abi):
    def test():
        expect.need_abi(case.image, abi)
    test.__name__ = expect.point(case.image, abi, "real Xen", case.more)
    return test


def cell(runs, case, abi):
    if abi == "pvh" and case.image in expect.PV_ONLY:
        return has_no_use(case, abi)
    visited = isinstance(case, xen_net_cases.NetCase)
    guest = xen_guests.Guest(
        expect.path(case.image), abi, case.args, case.disks, case.keys,
        ask=case.ready if visited else "ready" if case is ASKED else "",
        initrd=case.initrd, vif=visited, visit=case.visit if visited else "",
        vcpus=case.vcpus)
    runs.guests.append(guest)

    def test():
        comes_out_right(runs, case, guest)
    test.__name__ = expect.point(case.image, abi, "real Xen", case.more)
    return test


def main():
    runs = Runs()
    tests = [cell(runs, case, abi) for case in CASES for abi in case.abis]
    try:
        with xen_guests.Machine(xen_lab.Lab(), runs.guests) as runs.machine:
            runs.start()
            return tap.main(tests, PATIENCE)
    except tap.Skip as reason:
        runs.why_not = str(reason)
        return tap.main(tests)


if __name__ == "__main__":
    sys.exit(main())
