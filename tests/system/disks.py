#!/usr/bin/env python3
"""Disks: what cannot be one is refused in a sentence; what is one has all its
bytes; what happens to it while it is used is an error for the guest, not for
us."""
import contextlib
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402
from disk_cases import SECTOR, random_bytes, sum_of  # noqa: E402

BLKSUM = guest.example("blksum")
BLKBENCH = guest.example("blkbench")


@contextlib.contextmanager
def disk_of(content):
    """A file of these bytes, or of so many zeroes that take no room."""
    with tempfile.NamedTemporaryFile(suffix=".img") as file:
        if isinstance(content, int):
            file.truncate(content)
        else:
            file.write(content)
        file.flush()
        yield file


def spec(path, access="r", vdev="xvda", more=""):
    return f"{path},raw,{vdev},{access}{more}"


def refused(path, *parts, access="r", **popen):
    result = guest.run("--disk", spec(path, access), guest=BLKSUM, **popen)
    sentence = guest.one_sentence(result)
    assert result.status == 1 and result.console == "", result
    for part in (path, "xvda", *parts):
        assert part in sentence, (part, result)


def summed(path, options=(), args=(), access="r", vdev="xvda", more=""):
    result = guest.run(*options, "--disk", spec(path, access, vdev, more),
                       guest=BLKSUM, args=args)
    with open(path, "rb") as file:
        content = file.read()
    expected = f"disk {vdev}: {len(content)} bytes\n" \
               f"sha256 {hashlib.sha256(content).hexdigest()}\n"
    assert result.status == 0 and result.report == "", result
    assert result.console == expected, result


class Disk:
    """A guest that does one request for each line it is told."""

    def __init__(self, path, access="w", more="", **popen):
        self.process = guest.start(
            "--disk", spec(path, access, more=more), guest=guest.image("disk"),
            **popen)
        self.info = self.process.stdout.readline().decode()
        if "sectors" not in self.info:
            raise AssertionError((self.info, guest.finish(self.process)))

    def ask(self, *words):
        """The status, or (sum, status) of a read."""
        line = " ".join(map(str, words)) + "\n"
        self.process.stdin.write(line.encode())
        self.process.stdin.flush()
        answer = self.process.stdout.readline().decode().split()
        if not answer:
            raise AssertionError((words, guest.finish(self.process)))
        return int(answer[-1]) if answer[0] == "status" else \
            (int(answer[1]), int(answer[-1]))

    def complaint(self):
        return self.process.stderr.readline().decode()

    def quit(self):
        self.process.stdin.write(b"quit\n")
        result = guest.finish(self.process)
        assert result.status == 0, result
        return result


# What cannot be a disk.

def what_is_not_there_is_refused():
    for access in ("r", "w"):
        refused("/nonexistent/disk.img", "No such file", access=access)
        refused("/dev/null/disk.img", "Not a directory", access=access)


def what_is_no_file_is_refused():
    with tempfile.TemporaryDirectory() as folder:
        refused(folder, "directory")
        refused(folder, "directory", access="w")
        fifo = os.path.join(folder, "fifo")
        os.mkfifo(fifo)
        refused(fifo, "a pipe")
        refused(fifo, "a pipe", access="w")
        path = os.path.join(folder, "socket")
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(path)
            refused(path)
        loop = os.path.join(folder, "loop")
        os.symlink(loop, loop)
        refused(loop, "symbolic links")
    refused("/dev/null", "character device")


def what_may_not_be_opened_is_refused():
    with disk_of(SECTOR) as disk:
        os.chmod(disk.name, 0)
        refused(disk.name, "Permission denied", "readable",
                preexec_fn=guest.obey_permissions)
        os.chmod(disk.name, 0o444)
        refused(disk.name, "Permission denied", "read-only", access="w",
                preexec_fn=guest.obey_permissions)
        result = guest.run("--disk", spec(disk.name), guest=BLKSUM,
                           preexec_fn=guest.obey_permissions)
        assert result.status == 0, result


def what_has_no_sector_is_refused():
    for size in (0, 1, SECTOR - 1):
        with disk_of(size) as disk:
            refused(disk.name, f"{size} bytes")
            refused(disk.name, f"{size} bytes", access="w")


def an_odd_end_is_left_out_and_said():
    content = random_bytes(3 * SECTOR + 100)
    with disk_of(content) as disk:
        result = guest.run("--disk", spec(disk.name), guest=BLKSUM)
        assert result.status == 0, result
        assert "the last 100 bytes" in guest.one_sentence(result), result
        digest = hashlib.sha256(content[:3 * SECTOR]).hexdigest()
        assert digest in result.console, result


def a_writer_is_alone_with_its_disk():
    with disk_of(8 * SECTOR) as disk:
        for first, second in (("w", "w"), ("w", "r"), ("r", "w")):
            result = guest.run("--disk", spec(disk.name, first), "--disk",
                               spec(disk.name, second, "xvdb"), guest=BLKSUM)
            assert result.status == 1 and result.console == "", result
            assert "in use" in guest.one_sentence(result), result
            running = Disk(disk.name, first)
            result = guest.run("--disk", spec(disk.name, second), guest=BLKSUM)
            assert result.status == 1 and result.console == "", result
            assert "in use" in guest.one_sentence(result), result
            assert running.ask("read", 0, 8)[1] == 0
            running.quit()


def readers_share_a_disk():
    content = random_bytes(64 * SECTOR)
    with disk_of(content) as disk:
        running = Disk(disk.name, "r")
        summed(disk.name)
        summed(disk.name, options=["--disk", spec(disk.name, "r", "xvdb")])
        running.quit()


def a_disk_is_free_again_when_its_guest_is_gone():
    with disk_of(8 * SECTOR) as disk:
        for _ in range(20):
            result = guest.run("--disk", spec(disk.name, "w"), guest=BLKSUM)
            assert result.status == 0, result


def a_guest_without_a_disk_says_so():
    result = guest.run(guest=BLKSUM)
    assert result.status == 1 and result.report == "", result
    assert result.console == "blksum: there is no disk\n", result
    with disk_of(SECTOR) as disk:
        result = guest.run("--disk", spec(disk.name), guest=BLKSUM,
                           args=["xvdb"])
        assert result.status == 1 and result.report == "", result


# What is one.

def sizes_from_a_sector_to_megabytes_are_read_whole():
    for size in (SECTOR, 2 * SECTOR, 4096, 4096 + SECTOR, 11 * 4096,
                 45056 + SECTOR, (1 << 20) - SECTOR, 1 << 20,
                 (1 << 20) + SECTOR, (5 << 20) + 7 * SECTOR):
        with disk_of(random_bytes(size)) as disk:
            for options in ([], ["--scatter-p2m"], ["--memory", "8M"]):
                summed(disk.name, options=options)


def holes_are_zeroes():
    with disk_of(32 << 20) as disk:
        disk.seek(7 << 20)
        disk.write(random_bytes(100000))
        disk.flush()
        summed(disk.name)
        assert os.stat(disk.name).st_blocks * 512 < 1 << 20


def kinds_of_disks_hold_the_same():
    with disk_of(random_bytes(100 * SECTOR)) as disk:
        for vdev in ("xvda", "xvda1", "sdb2", "hdc", "xvdz", "xvdaa"):
            summed(disk.name, vdev=vdev)
        for more in (",direct-io-safe", ",cdrom", ",devtype=cdrom",
                     ",no-discard", ",removable"):
            if more == ",direct-io-safe":
                result = guest.run("--disk", spec(disk.name, more=more),
                                   guest=BLKSUM)
                assert result.status == 0, result
            else:
                summed(disk.name, more=more)


def a_file_system_is_read_as_it_is():
    mke2fs = shutil.which("mke2fs", path=os.environ["PATH"] + ":/usr/sbin")
    if not mke2fs:
        raise tap.Skip("there is no mke2fs (Debian: e2fsprogs)")
    with tempfile.TemporaryDirectory() as folder:
        tree = os.path.join(folder, "tree")
        os.makedirs(os.path.join(tree, "a", "b"))
        for i in range(20):
            with open(os.path.join(tree, "a", "b", str(i)), "wb") as file:
                file.write(random_bytes(i * 1777, i))
        image = os.path.join(folder, "disk.img")
        subprocess.run([mke2fs, "-q", "-t", "ext4", "-d", tree, image, "8M"],
                       check=True, capture_output=True)
        summed(image)
        summed(image, access="w")


def sixteen_disks_are_told_apart():
    with contextlib.ExitStack() as stack:
        options, names = [], []
        for i in range(16):
            disk = stack.enter_context(
                disk_of(random_bytes((i + 1) * 3 * SECTOR, i)))
            names.append(f"xvd{chr(ord('a') + i)}")
            options += ["--disk", spec(disk.name, "rw"[i % 2], names[i])]
        for i, name in enumerate(names):
            result = guest.run(*options, guest=BLKSUM, args=[name])
            content = random_bytes((i + 1) * 3 * SECTOR, i)
            digest = hashlib.sha256(content).hexdigest()
            assert result.status == 0 and result.report == "", result
            assert digest in result.console, (name, result)


def block_devices_are_disks():
    losetup = shutil.which("losetup", path=os.environ["PATH"] + ":/usr/sbin")
    if os.geteuid() != 0 or not losetup:
        raise tap.Skip("only root makes loop devices")
    with disk_of(random_bytes(1 << 20)) as disk:
        made = subprocess.run([losetup, "--show", "-f", disk.name],
                              capture_output=True, text=True, check=False)
        if made.returncode:
            raise tap.Skip(f"no loop device: {made.stderr.strip()}")
        device = made.stdout.strip()
        try:
            summed(device)
            summed(device, access="w")
        finally:
            subprocess.run([losetup, "-d", device], check=True)


def what_was_written_is_in_the_file():
    with disk_of(256 * SECTOR) as disk:
        running = Disk(disk.name)
        expected = bytearray(256 * SECTOR)
        for sector, nr, byte in ((0, 1, 1), (255, 1, 2), (8, 100, 3),
                                 (3, 9, 4)):
            assert running.ask("write", sector, nr, byte) == 0
            expected[sector * SECTOR:(sector + nr) * SECTOR] = \
                bytes([byte]) * nr * SECTOR
            read, status = running.ask("read", sector, nr)
            assert status == 0
            assert read == sum_of(bytes([byte]) * nr * SECTOR)
        assert running.ask("flush") == 0
        assert disk.read() == expected
        result = running.quit()
        assert result.report == "", result
        disk.seek(0)
        assert disk.read() == expected


def what_is_discarded_takes_no_room():
    with disk_of(b"x" * (1 << 20)) as disk:
        running = Disk(disk.name)
        if " discard" not in running.info:
            running.quit()
            raise tap.Skip("this file system cannot punch holes")
        before = os.stat(disk.name).st_blocks
        assert running.ask("discard", 0, 1024) == 0
        assert os.stat(disk.name).st_blocks < before
        assert os.stat(disk.name).st_size == 1 << 20
        assert running.ask("read", 0, 8) == (sum_of(bytes(4096)), 0)
        running.quit()


def every_way_of_measuring_works():
    with disk_of(4 << 20) as disk:
        for args in (["rw=randread"], ["rw=read", "bs=64k"],
                     ["rw=write", "bs=512"], ["rw=randwrite", "flush=7"],
                     ["rw=randread", "depth=1"], ["rw=read", "bs=1m", "depth=4"],
                     ["rw=randread", "persistent=1"],
                     ["rw=randwrite", "persistent=1", "bs=128k"],
                     ["rw=randwrite", "depth=256", "flush=64"]):
            result = guest.run("--disk", spec(disk.name, "w"), guest=BLKBENCH,
                               args=[*args, "count=300", "json=1"])
            assert result.status == 0 and result.report == "", (args, result)
            told = json.loads(result.console.splitlines()[1])
            assert told["requests"] == 300, (args, told)


# What happens to it meanwhile.

def beyond_its_end_is_an_error():
    with disk_of(64 * SECTOR) as disk:
        running = Disk(disk.name)
        for sector, nr in ((64, 1), (63, 2), (2**40, 1), (2**55, 8),
                           (2**64 - 1, 2), (2**63, 1)):
            assert running.ask("read", sector, nr)[1] == -22, (sector, nr)
            assert running.ask("write", sector, nr, 1) == -22, (sector, nr)
        assert running.ask("read", 63, 1)[1] == 0
        assert running.quit().report == ""
        assert os.stat(disk.name).st_size == 64 * SECTOR


def a_read_only_disk_stays_as_it_is():
    content = random_bytes(64 * SECTOR)
    with disk_of(content) as disk:
        running = Disk(disk.name, "r")
        assert " ro" in running.info
        assert running.ask("write", 0, 1, 1) == -30  # EROFS
        assert running.ask("discard", 0, 64) < 0
        assert running.ask("read", 0, 64) == (sum_of(content), 0)
        assert running.quit().report == ""
        with open(disk.name, "rb") as file:
            assert file.read() == content
        result = guest.run("--disk", spec(disk.name), guest=BLKBENCH,
                           args=["rw=write", "count=10"])
        assert result.status == 1 and result.report == "", result
        assert "Read-only" in result.console, result


def a_disk_that_is_unlinked_goes_on():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "disk.img")
        with open(path, "wb") as file:
            file.truncate(64 * SECTOR)
        running = Disk(path)
        os.remove(path)
        assert running.ask("write", 5, 3, 9) == 0
        assert running.ask("read", 5, 3) == (sum_of(b"\x09" * 3 * SECTOR), 0)
        assert running.ask("flush") == 0
        assert running.quit().report == ""
        assert os.listdir(folder) == []


def a_disk_that_shrinks_fails_where_it_was():
    content = random_bytes(256 * SECTOR)
    for more in ("", ",direct-io-safe"):
        with disk_of(content) as disk:
            os.truncate(disk.name, 256 * SECTOR)
            running = Disk(disk.name, more=more)
            assert running.ask("read", 0, 256) == (sum_of(content), 0)
            os.truncate(disk.name, 64 * SECTOR)
            _, status = running.ask("read", 128, 8)
            assert status == -5, status
            assert "xvda" in running.complaint()
            _, status = running.ask("read", 0, 256)
            assert status == -5, status
            assert running.ask("read", 0, 64) == \
                (sum_of(content[:64 * SECTOR]), 0)
            assert running.ask("write", 0, 8, 7) == 0
            # Said once, not for each request.
            assert running.quit().report == ""


def a_disk_that_becomes_empty_harms_nobody():
    with disk_of(random_bytes(256 * SECTOR)) as disk:
        running = Disk(disk.name, "r")
        os.truncate(disk.name, 0)
        for _ in range(10):
            assert running.ask("read", 0, 8)[1] == -5
        result = running.quit()
        assert "xvda" in guest.one_sentence(result), result


def a_disk_that_shrinks_under_load_is_one_sentence():
    with disk_of(8 << 20) as disk:
        process = guest.start("--disk", spec(disk.name), guest=BLKBENCH,
                              args=["rw=randread", "seconds=30"])
        guest.wait_until_it_runs(process)
        os.truncate(disk.name, 4096)
        result = guest.finish(process)
        assert result.status == 1, result
        assert "xvda" in guest.one_sentence(result), result
        assert "blkbench: a request failed: " in result.console, result


def a_full_file_system_is_an_error_for_the_guest():
    if os.geteuid() != 0:
        raise tap.Skip("only root mounts a small file system")
    with tempfile.TemporaryDirectory() as folder:
        mount = subprocess.run(
            ["mount", "-t", "tmpfs", "-o", "size=256k", "none", folder],
            capture_output=True, text=True, check=False)
        if mount.returncode:
            raise tap.Skip(f"cannot mount: {mount.stderr.strip()}")
        try:
            fill_a_sparse_disk(os.path.join(folder, "disk.img"), "No space")
        finally:
            subprocess.run(["umount", "-l", folder], check=True)


def fill_a_sparse_disk(path, *parts, size=1 << 20, **popen):
    with open(path, "wb") as file:
        file.truncate(size)
    running = Disk(path, **popen)
    step = size // SECTOR // 32
    statuses = [running.ask("write", sector, 64, 1)
                for sector in range(0, size // SECTOR, step)]
    assert statuses[0] == 0 and statuses[-1] == -5, statuses
    sentence = running.complaint()
    for part in ("paravane: ", "xvda", *parts):
        assert part in sentence, (part, sentence)
    # What was written before is there, and can be read and written again.
    assert running.ask("read", 0, 64) == (sum_of(b"\x01" * 64 * SECTOR), 0)
    assert running.ask("write", 0, 64, 2) == 0
    assert running.ask("flush") == 0
    assert running.quit().report == ""


def a_limit_on_the_size_of_files_is_an_error_for_the_guest():
    with tempfile.TemporaryDirectory() as folder:
        fill_a_sparse_disk(os.path.join(folder, "disk.img"), size=64 << 20,
                           preexec_fn=guest.limit_files_to(32 << 20))


def a_limit_below_the_guests_memory_is_said():
    result = guest.run(guest=BLKSUM, preexec_fn=guest.limit_files_to(1 << 20))
    assert result.status == 1 and result.console == "", result
    assert "File too large" in guest.one_sentence(result), result


if __name__ == "__main__":
    sys.exit(tap.main([
        what_is_not_there_is_refused,
        what_is_no_file_is_refused,
        what_may_not_be_opened_is_refused,
        what_has_no_sector_is_refused,
        an_odd_end_is_left_out_and_said,
        a_writer_is_alone_with_its_disk,
        readers_share_a_disk,
        a_disk_is_free_again_when_its_guest_is_gone,
        a_guest_without_a_disk_says_so,
        sizes_from_a_sector_to_megabytes_are_read_whole,
        holes_are_zeroes,
        kinds_of_disks_hold_the_same,
        a_file_system_is_read_as_it_is,
        sixteen_disks_are_told_apart,
        block_devices_are_disks,
        what_was_written_is_in_the_file,
        what_is_discarded_takes_no_room,
        every_way_of_measuring_works,
        beyond_its_end_is_an_error,
        a_read_only_disk_stays_as_it_is,
        a_disk_that_is_unlinked_goes_on,
        a_disk_that_shrinks_fails_where_it_was,
        a_disk_that_becomes_empty_harms_nobody,
        a_disk_that_shrinks_under_load_is_one_sentence,
        a_full_file_system_is_an_error_for_the_guest,
        a_limit_on_the_size_of_files_is_an_error_for_the_guest,
        a_limit_below_the_guests_memory_is_said,
    ]))
