#!/usr/bin/env python3
"""A domain takes no more and no more, however long it lives and however many
there are; and when it is gone, nothing of it is left."""
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

ENGINE = ["--engine", guest.ENGINE or "process"]


class Churn:
    """A guest that takes and gives back, round by round."""

    def __init__(self, *options, **popen):
        self.process = guest.start(*ENGINE, *options,
                                   guest=guest.image("churn"), **popen)

    def round(self):
        self.process.stdin.write(b"again\n")
        self.process.stdin.flush()
        said = self.process.stdout.readline()
        if said != b"wrong: 0\n":
            raise AssertionError((said, guest.finish(self.process)))

    def counts(self):
        """What the kernel holds for it: descriptors, mappings, own memory."""
        proc = f"/proc/{self.process.pid}"
        with open(f"{proc}/status", encoding="ascii") as status:
            words = dict(line.split(":", 1) for line in status)
        with open(f"{proc}/maps", "rb") as maps:
            nr_maps = len(maps.readlines())
        return {"descriptors": len(os.listdir(f"{proc}/fd")),
                "mappings": nr_maps,
                "data KiB": int(words["VmData"].split()[0]),
                "private KiB": int(words["RssAnon"].split()[0]),
                "shared KiB": int(words["RssShmem"].split()[0])}

    def quit(self):
        self.process.stdin.write(b"quit\n")
        result = guest.finish(self.process)
        assert result.status == 0 and result.report == "", result


def with_a_disk(test):
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(64 << 10)
        test(["--disk", f"{file.name},raw,xvda,w"])


def churn_and_compare(options):
    """First as long as it takes for its free pages to be well mixed: their
    mappings have then as many pieces as there can be."""
    churn = Churn(*options)
    for _ in range(120):
        churn.round()
    before = churn.counts()
    for _ in range(60):
        churn.round()
    after = churn.counts()
    churn.quit()
    for what, slack in (("descriptors", 0), ("mappings", 32),
                        ("data KiB", 0), ("private KiB", 64),
                        ("shared KiB", 512)):
        assert after[what] <= before[what] + slack, (what, before, after)


def a_domain_does_not_grow():
    with_a_disk(churn_and_compare)


def a_scattered_domain_does_not_grow():
    with_a_disk(lambda disk: churn_and_compare([*disk, "--scatter-p2m"]))


def nothing_is_left_of_a_domain():
    """No file, no socket, no process, wherever a program may leave some."""
    with tempfile.TemporaryDirectory() as folder:
        environment = dict(os.environ, HOME=folder, TMPDIR=folder,
                           XDG_RUNTIME_DIR=folder)
        for image, args, status in (
                (guest.example("hello"), [], 0),
                (guest.image("crash"), [], 125),
                (guest.image("wild"), ["overflow", "0"], 125),
                (guest.image("ending"), ["reason", "1"], 0),
                ("/dev/null", [], 1)):
            result = guest.run(*ENGINE, guest=image, args=args,
                               cwd=folder, env=environment)
            assert result.status == status, result
            assert os.listdir(folder) == [], result


def a_running_domain_has_no_children():
    churn = Churn()
    churn.process.stdin.write(b"quit\n")
    guest.wait_until_it_runs(churn.process)
    path = f"/proc/{churn.process.pid}/task/{churn.process.pid}/children"
    try:
        with open(path, encoding="ascii") as children:
            assert children.read() == ""
    except FileNotFoundError:
        raise tap.Skip("this kernel does not list children") from None
    finally:
        churn.process.kill()
        churn.process.wait()


def the_callers_descriptors_are_not_kept():
    """What the caller forgot to close is closed at once."""
    read, write = os.pipe()
    process = guest.start(*ENGINE, guest=guest.image("ending"),
                          args=["deaf"], pass_fds=[write])
    os.close(write)
    assert process.stdout.readline() == b"ready\n"
    assert os.read(read, 1) == b""  # its end is closed there
    process.kill()
    process.wait()
    os.close(read)


def many_domains_do_not_disturb_each_other():
    quiet = [guest.start(*ENGINE, guest=guest.example("clock"))
             for _ in range(4)]
    for i in range(30):
        subprocess.run(
            guest.command(*ENGINE, guest=guest.image("monkey"),
                          args=["random", str(i), "500"]),
            stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            check=False)
    for process in quiet:
        result = guest.finish(process)
        assert result.status == 0 and result.report == "", result


def memory_that_the_host_lacks_is_an_error_at_the_start():
    """A limit on address space, from none at all to enough."""
    outcomes = set()
    for mib in (1, 4, 8, 16, 20, *range(24, 50), 64, 200, 1000):
        result = guest.run(*ENGINE, guest=guest.example("hello"),
                           preexec_fn=guest.limit_address_space(mib << 20))
        outcomes.add(result.status)
        if result.status == 1:
            guest.one_sentence(result)
        # Below a few pages the program cannot even be started.
        assert result.status in (0, 1) or mib <= 4, (mib, result)
    assert outcomes >= {0, 1}, outcomes


def descriptors_that_the_host_lacks_are_an_error_at_the_start():
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(4096)
        for limit in range(3, 14):
            result = guest.run(*ENGINE, "--disk", f"{file.name},raw,xvda,r",
                               guest=guest.example("hello"),
                               preexec_fn=guest.limit_descriptors(limit))
            assert result.status in (0, 1), (limit, result)
            if result.status == 1:
                guest.one_sentence(result)
        assert result.status == 0, result


if __name__ == "__main__":
    sys.exit(tap.main([
        a_domain_does_not_grow,
        a_scattered_domain_does_not_grow,
        nothing_is_left_of_a_domain,
        a_running_domain_has_no_children,
        the_callers_descriptors_are_not_kept,
        many_domains_do_not_disturb_each_other,
        memory_that_the_host_lacks_is_an_error_at_the_start,
        descriptors_that_the_host_lacks_are_an_error_at_the_start,
    ]))
