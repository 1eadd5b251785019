"""What the verdict images (tests/guests/verdict) print: the same as on real Xen,
line by line, but for the exceptions that tests/lab/verdict/exceptions.txt tells
the reasons of."""
import os

FOLDER = os.path.join(os.path.dirname(__file__), "..", "lab", "verdict")
NAMES = ["cpu", "events", "grants", "hvm", "memory", "mmu", "sched", "vcpus",
         "version"]
IMAGES = ["verdict_" + name for name in NAMES]
XEN = "real Xen"
# How many vCPUs those want that do not do with one.
VCPUS = {"verdict_vcpus": 9}


def path(image, abi):
    """What real Xen printed."""
    return os.path.join(FOLDER, f"{image.removeprefix('verdict_')}.{abi}.txt")


def _read(name):
    with open(name, encoding="ascii") as file:
        return file.read()


def exceptions(image, abi, place):
    """The lines that differ, as (place) prints them."""
    found = set()
    for line in _read(os.path.join(FOLDER, "exceptions.txt")).splitlines():
        if line and not line.startswith("#"):
            where, _, text = line.partition(": ")
            about, abis, engines = where.split()
            if "verdict_" + about == image and abi in abis.split(",") and \
                    place.split()[0] in engines.split(","):
                found.add(text)
    return found


def check(image, abi, place, console):
    expected = _read(path(image, abi)).splitlines()
    found = console.splitlines()
    allowed = set() if place == XEN else exceptions(image, abi, place)
    pairs = list(zip(found, expected))
    wrong = [f"{ours}\n    where real Xen says: {xen}"
             for ours, xen in pairs if ours != xen and ours not in allowed]
    used = {ours for ours, xen in pairs if ours != xen}
    assert not wrong, "\n".join(wrong[:20])
    assert len(found) == len(expected), \
        f"{len(found)} lines instead of {len(expected)}, the last: {found[-1:]}"
    assert allowed <= used, f"no exceptions any more: {allowed - used}"
