"""A test file is a list of functions; this prints their verdicts as TAP.

A function's name is its claim. It passes by returning, fails by assert or any
exception, and skips by raising Skip with the reason.
"""
import signal
import sys
import traceback

PATIENCE = 120  # seconds for one test; those that hang have failed


class Skip(Exception):
    pass


def main(tests, patience=PATIENCE):
    """Run (tests); those named on the command line, if any."""
    def give_up(*_):
        raise AssertionError(f"it hangs for {patience} s")

    wanted = sys.argv[1:]
    tests = [t for t in tests if not wanted or t.__name__ in wanted]
    print(f"1..{len(tests)}", flush=True)
    failed = 0
    signal.signal(signal.SIGALRM, give_up)
    for number, test in enumerate(tests, 1):
        name = test.__name__.replace("_", " ")
        signal.alarm(patience)
        try:
            test()
        except Skip as reason:
            print(f"ok {number} - {name} # SKIP {reason}", flush=True)
        except Exception:
            failed += 1
            for line in traceback.format_exc().splitlines():
                print(f"# {line}")
            print(f"not ok {number} - {name}", flush=True)
        else:
            print(f"ok {number} - {name}", flush=True)
    return 1 if failed else 0
