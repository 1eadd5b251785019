#!/usr/bin/env python3
"""Every image keeps its promises in a VM on AMD's SVM with nested paging, as
PV and as PVH: what is expected is the same as everywhere
(tests/harness/expect.py)."""
import os
import re
import sys

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))
import svm_lab  # noqa: E402, puts the harness on the path
import expect  # noqa: E402
import tap  # noqa: E402

PLACE = "kvm in the SVM lab"
SECONDS = 60  # for one image
EXITS = re.compile(r"the guest left the VM (\d+) times")


class Shared:
    """One machine for all cells, or why there is none."""

    def __init__(self):
        self.machine = self.trouble = None

    def __call__(self):
        if self.trouble:
            raise self.trouble
        if not self.machine:
            files = {f"{name}.elf": expect.path(name)
                     for name in expect.IMAGES}
            try:
                self.machine = svm_lab.Lab(files).__enter__()
            except Exception as trouble:
                self.trouble = trouble
                raise
        return self.machine

    def end(self):
        if self.machine:
            self.machine.__exit__()


lab = Shared()


def cell(name):
    def test():
        result = lab().run("-v", "--engine", "kvm", image=f"{name}.elf",
                           seconds=SECONDS)
        expect.check(name, result)
        exits = EXITS.search(result.report).group(1)
        print(f"# {name} left the VM {exits} times")
    test.__name__ = expect.point(name, "pv", PLACE)
    return test


if __name__ == "__main__":
    try:
        status = tap.main([cell(name) for name in expect.IMAGES])
    finally:
        lab.end()
    sys.exit(status)
