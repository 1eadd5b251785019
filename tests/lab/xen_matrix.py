#!/usr/bin/env python3
"""Every image keeps its promises on real Xen, as PV and as PVH domU, with its
disks served by Linux's blkback. What is expected is what tests/system/images.py
expects of our host. One emulated machine runs them all."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(HERE, "..", "harness")]
import disk_cases  # noqa: E402
import elf  # noqa: E402
import expect  # noqa: E402
import tap  # noqa: E402
import xen_guests  # noqa: E402
import xen_lab  # noqa: E402

ABIS = ("pv", "pvh")
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


def prints_its_lines(runs, name, guest):
    runs.wait_for(guest)
    expect.check(name, guest)


def uses_its_disks(runs, case, guest):
    runs.wait_for(None)
    runs.wait_for(guest)
    case.check(guest, {disk.vdev: runs.machine.disk(guest, disk.vdev)
                       for disk in case.disks})
    assert AGREED.get(case.more, "") in guest.store, guest.store


def has_entry(image, abi):
    return abi == "pv" or elf.NOTE_PHYS32_ENTRY in elf.Image(image).notes()


def cells(runs):
    """In the order of the guests; those that need all to have ended last."""
    for check, subjects in ((prints_its_lines, expect.IMAGES),
                            (uses_its_disks, disk_cases.CASES)):
        for subject in subjects:
            for abi in ABIS:
                yield cell(runs, check, subject, abi)


def cell(runs, check, subject, abi):
    if check is uses_its_disks:
        name, more = subject.image, subject.more
        what = {"args": subject.args, "disks": subject.disks,
                "keys": subject.keys}
    else:
        name, more, what = subject, "", {}
    image = expect.path(name)
    if has_entry(image, abi):
        guest = xen_guests.Guest(image, abi, **what)
        runs.guests.append(guest)

        def made():
            check(runs, subject, guest)
    else:
        def made():
            raise tap.Skip("the image has no PVH entry")
    made.__name__ = expect.point(name, abi, "real Xen", more)
    return made


def main():
    runs = Runs()
    tests = list(cells(runs))
    try:
        with xen_guests.Machine(xen_lab.Lab(), runs.guests) as runs.machine:
            runs.start()
            return tap.main(tests, PATIENCE)
    except tap.Skip as reason:
        runs.why_not = str(reason)
        return tap.main(tests)


if __name__ == "__main__":
    sys.exit(main())
