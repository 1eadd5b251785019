#!/usr/bin/env python3
"""Any hypercall with any argument is an answer for the guest, or its end:
never a system call that the sandbox must refuse, nor an error of ours."""
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

ENGINE = ["--engine", guest.ENGINE or "process"]
# Where each is an exit of a VM, fewer have to do.
NR_CALLS = {"process": "8000", "kvm": "2000"}[ENGINE[1]]
MONKEY = guest.image("monkey")


def pointers_that_lead_nowhere_are_refused():
    for options in ([], ["--scatter-p2m"], ["--trace", "all"]):
        result = guest.run(*ENGINE, *options, guest=MONKEY,
                           args=["pointers"])
        assert result.status == 0, (options, result.status)
        assert result.console.endswith("survived\n"), result.console[-1000:]
        assert options[:1] == ["--trace"] or result.report == "", result


def calls_without_a_thought_are_survived():
    with tempfile.NamedTemporaryFile() as disk:
        disk.truncate(1 << 20)
        for seed in range(1, 17):
            options = ["--disk", f"{disk.name},raw,xvda,w"]
            options += ["--scatter-p2m"] if seed % 2 else []
            result = guest.run(*ENGINE, *options, guest=MONKEY,
                               args=["random", str(seed), NR_CALLS])
            assert result.status in (0, 125), (seed, result)
            for wrong in ("internal error", "sandbox refused",
                          "shim's code", "please report"):
                assert wrong not in result.report, (seed, result)
            if result.status == 125:
                assert "the guest crashed: " in result.report, (seed, result)
            else:
                assert "survived\n" in result.console, (seed, result)


if __name__ == "__main__":
    sys.exit(tap.main([
        pointers_that_lead_nowhere_are_refused,
        calls_without_a_thought_are_survived,
    ]))
