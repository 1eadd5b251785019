#!/usr/bin/env python3
"""What a unit test finds after its body counts. Usage: endings.py BINARY"""
import os
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "../../harness"))
import tap  # noqa: E402

binary = sys.argv.pop()


def run(suite):
    """Names of the tests of (suite) by verdict, and the exit status."""
    done = subprocess.run([binary, "--tap=-", "--filter", f"{suite}/*"],
                          stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True, timeout=60)
    verdicts = {"ok": [], "not ok": []}
    for line in done.stdout.splitlines():
        for verdict, names in verdicts.items():
            if line.startswith(f"{verdict} - {suite}::"):
                names.append(line)
    return verdicts, done.returncode


def whatever_goes_wrong_at_the_end_fails_the_test():
    verdicts, status = run("wrong")
    assert not verdicts["ok"], verdicts
    assert len(verdicts["not ok"]) == 5, verdicts
    assert status == 1, status


def an_end_without_trouble_does_not():
    verdicts, status = run("right")
    assert not verdicts["not ok"], verdicts
    assert len(verdicts["ok"]) == 1, verdicts
    assert status == 0, status


if __name__ == "__main__":
    sys.exit(tap.main([
        whatever_goes_wrong_at_the_end_fails_the_test,
        an_end_without_trouble_does_not,
    ]))
