#!/usr/bin/env python3
"""A guest's clock keeps step with the host's CLOCK_MONOTONIC: over a minute
they part by no more than 50 ppm. (No test of speed: both clocks are read.)"""
import os
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

SECONDS = 60
PPM = 50
SAMPLES = 200


def sample(process):
    """How far the guest's clock is from ours, and how sure that is, in ns: the
    best of many questions, by the time the answer took."""
    best = None
    for _ in range(SAMPLES):
        before = time.monotonic_ns()
        process.stdin.write(b"\n")
        process.stdin.flush()
        theirs = int(process.stdout.readline())
        after = time.monotonic_ns()
        if best is None or after - before < best[1]:
            best = (theirs - (before + after) // 2, after - before)
    return best


def the_clock_does_not_drift_in_a_minute():
    process = guest.start(guest=guest.image("clockline"))
    try:
        assert process.stdout.readline() == b"ready\n"
        first, first_error = sample(process)
        start = time.monotonic_ns()
        time.sleep(SECONDS)
        last, last_error = sample(process)
        elapsed = time.monotonic_ns() - start
    finally:
        process.kill()  # a console has no end that it could wait for
        process.wait()
    drift = abs(last - first) / elapsed * 1e6
    doubt = (first_error + last_error) / 2 / elapsed * 1e6
    print(f"# {drift:.2f} ppm over {elapsed / 1e9:.0f} s, +- {doubt:.2f}")
    assert drift - doubt <= PPM, (first, last, elapsed)


if __name__ == "__main__":
    sys.exit(tap.main([the_clock_does_not_drift_in_a_minute]))
