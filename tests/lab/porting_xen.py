#!/usr/bin/env python3
"""The kernel of docs/porting.md runs on real Xen, as its first domain."""
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
import guide  # noqa: E402
import tap  # noqa: E402

SKIPPED = 77


def the_kernel_of_the_page_runs_on_xen():
    files = guide.files()
    with guide.kernel() as image:
        expected = os.path.join(os.path.dirname(image), "all")
        with open(expected, "w", encoding="ascii") as file:
            file.write(files["console"] + files["console.user"])
        done = subprocess.run([os.path.join(HERE, "xen-dom0"), "--expect",
                               expected, image, "user"], capture_output=True,
                              text=True, check=False)
    if done.returncode == SKIPPED:
        raise tap.Skip(done.stderr.strip().splitlines()[-1])
    assert done.returncode == 0, done


if __name__ == "__main__":
    sys.exit(tap.main([the_kernel_of_the_page_runs_on_xen]))
