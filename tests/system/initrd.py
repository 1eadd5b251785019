#!/usr/bin/env python3
"""The file given by --initrd arrives in the guest, whole and nothing else; what
cannot be one is refused in one sentence."""
import os
import random
import re
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

PAGE = 4096
SAID = re.compile(r"module of (\d+) bytes, sum (\d+)\n")


class File:
    def __init__(self, size):
        self.bytes = random.Random(size).randbytes(size)

    def __enter__(self):
        self.file = tempfile.NamedTemporaryFile()
        self.file.write(self.bytes)
        self.file.flush()
        return self.file.name

    def __exit__(self, *_):
        self.file.close()


def total(content):
    """As tests/guests/sum.h has it, over whole pages."""
    value = 1
    for byte in content + bytes(-len(content) % PAGE):
        value = (value * 31 + byte) % 2**32
    return value


def arrives(image, engine, sizes, *options):
    def test():
        guest.need_engine(engine)
        for size in sizes:
            file = File(size)
            with file as path:
                result = guest.run("--engine", engine, "--initrd", path,
                                   *options, guest=guest.image(image))
            assert result.status == 0 and result.report == "", result
            length, said = map(int, SAID.search(result.console).groups())
            assert length == size + -size % PAGE, result
            assert said == total(file.bytes), result
            assert result.console.endswith("verdict: success\n"), result

    test.__name__ = "_".join((image, "on", engine, *options))
    return test


def without_one_there_is_none():
    for image in ("initrd", "initrd_unmapped"):
        result = guest.run(guest=guest.image(image))
        assert result.status == 0, result
        assert result.console.startswith("no module\n"), result


def refused(path, *parts, options=(), image="initrd"):
    result = guest.run("--initrd", path, *options, guest=guest.image(image))
    sentence = guest.one_sentence(result)
    assert result.status == 1 and result.console == "", result
    for part in parts:
        assert part in sentence, (part, result)
    return sentence


def what_is_no_file_is_refused():
    refused("/nonexistent", "/nonexistent", "the initrd", "No such file")
    refused("/tmp", "/tmp", "directory")
    refused("/dev/zero", "/dev/zero", "not a regular file")
    with File(0) as path:
        refused(path, path, "empty")
    with File(1) as path:
        os.chmod(path, 0)
        result = guest.run("--initrd", path, guest=guest.image("initrd"),
                           preexec_fn=guest.obey_permissions)
        assert result.status == 1, result
        assert "Permission denied" in guest.one_sentence(result), result


def the_least_memory_is_told_and_is_enough():
    for image in ("initrd", "initrd_unmapped"):
        with File(1 << 20) as path:
            said = refused(path, "with its initrd", image=image,
                           options=["--memory", "2M"])
            least = re.search(r"--memory (\d+)M", said).group(1)
            result = guest.run("--initrd", path, "--memory", least,
                               guest=guest.image(image))
            assert result.status == 0, result
            refused(path, f"--memory {least}M", image=image,
                    options=["--memory", str(int(least) - 1)])


def a_huge_one_is_refused():
    with tempfile.NamedTemporaryFile() as file:
        file.truncate(1 << 42)
        refused(file.name, "--memory")


def the_file_is_closed_when_the_guest_runs():
    with File(5000) as path:
        process = guest.start("--initrd", path, guest=guest.image("ending"),
                              args=["deaf"])
        assert process.stdout.readline() == b"ready\n"
        folder = f"/proc/{process.pid}/fd"
        links = [os.readlink(os.path.join(folder, fd))
                 for fd in os.listdir(folder)]
        process.kill()
        process.wait()
        assert path not in links, links


SIZES = (1, PAGE - 1, PAGE, PAGE + 1, 300001)

if __name__ == "__main__":
    sys.exit(tap.main([
        *[arrives(image, engine, SIZES, *options)
          for image in ("initrd", "initrd_unmapped")
          for engine in ("process", "kvm")
          for options in ((), ("--scatter-p2m",))],
        arrives("initrd", "process", (5 << 20,), "--memory", "16M"),
        without_one_there_is_none,
        what_is_no_file_is_refused,
        the_least_memory_is_told_and_is_enough,
        a_huge_one_is_refused,
        the_file_is_closed_when_the_guest_runs,
    ]))
