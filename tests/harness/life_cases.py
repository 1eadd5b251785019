"""Runs of tests/guests/ending.c: how guests end, and what comes through their
consoles, wherever they run."""
from cases import Case, sum_of

NR_LINES = 4000
# Never the byte 0: it is what a console pads with.
INPUT = "".join(chr((i * 7 + i // 100) % 90 + 33) for i in range(20000))


def _ends(status, console=""):
    def check(_, result, __):
        assert result.status == status, result
        assert result.console == console, result
    return check


def _crashes(_, result, __):
    assert result.status == 125, result


def _crashes_as_latched(_, result, __):
    assert result.status == 125, result
    assert result.console.startswith("answer: 0\nanswer: 0\n"), result


CASES = [
    Case("ending", "with a status", _ends(42), args=["exit", "42"]),
    Case("ending", "with the last status", _ends(255), args=["exit", "-1"]),
    Case("ending", "its status told by itself", _ends(7), args=["tell", "7"]),
    Case("ending", "by a reboot", _ends(0), args=["reason", "1"]),
    Case("ending", "as crashed", _crashes, args=["reason", "3"]),
    Case("ending", "by its watchdog", _crashes, args=["reason", "4"]),
    Case("ending", "by a soft reset", _crashes, args=["reason", "5"]),
    Case("ending", "for a reason that is none", _crashes,
         args=["reason", "77"]),
    Case("ending", "powered off, as latched before",
         _ends(0, "answer: 0\nanswer: 0\n"), args=["latch", "0"]),
    Case("ending", "as crashed, as latched before", _crashes_as_latched,
         args=["latch", "3"]),
    Case("ending", "by a stack that overflows", _crashes,
         args=["overflow"]),
    Case("ending", "what is typed arrives",
         _ends(0, "ready\ngot one\ngot two words\ngot quit\n"),
         args=["echo"], keys="one\ntwo words\nquit\n"),
    Case("ending", "more than a ring is typed",
         _ends(0, f"ready\n{len(INPUT)} {sum_of(INPUT.encode())}\n"),
         args=["count", str(len(INPUT))], keys=INPUT),
    Case("ending", "more than a ring is written",
         _ends(0, "".join(f"line {i} of {NR_LINES}\n"
                          for i in range(NR_LINES))),
         args=["lines", str(NR_LINES)]),
]
