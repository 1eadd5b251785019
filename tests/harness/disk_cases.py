"""Runs of the images that use disks, whoever serves these: our backend or
Linux's."""
import hashlib
import json
import random

import tap
from cases import Case, Disk, sum_of

SECTOR = 512
MIB = 1 << 20
ODD = 3 * MIB + 7 * SECTOR  # the last request is a short one


def random_bytes(size, seed=1):
    return random.Random(seed).randbytes(size)


# blksum: all of its lines are known.

def _summed(case, result, _):
    disk = case.disks[-1]
    digest = hashlib.sha256(disk.content).hexdigest()
    assert result.status == 0, result
    assert result.console == (f"disk {disk.vdev}: {len(disk.content)} bytes\n"
                              f"sha256 {digest}\n"), result


def _there_is_none(_, result, __):
    assert result.status == 1, result
    assert result.console == "blksum: there is no disk\n", result


# blkbench: its figures are its own, the number of requests is ours.

def _measured(case, result, _):
    assert result.status == 0, result
    told = json.loads(result.console.splitlines()[-1])
    assert f"count={told['requests']}" in case.args, result


def _wrote(case, result, after, block, max_byte):
    """Each block is as it was, or full of one byte up to (max_byte)."""
    _measured(case, result, after)
    changed = 0
    for at in range(0, len(after["xvda"]), block):
        new = after["xvda"][at:at + block]
        if new != case.disks[0].content[at:at + block]:
            assert new[0] <= max_byte and new == new[:1] * len(new), \
                f"what is at {at} was neither written nor there before"
            changed += 1
    assert changed, "nothing was written"


def _wrote_persistent(case, result, after):
    _wrote(case, result, after, 128 << 10, 31)


def _wrote_deep(case, result, after):
    _wrote(case, result, after, 4096, 255)


def _wrote_the_first_half(case, result, after):
    _measured(case, result, after)
    half = len(after["xvda"]) // 2
    assert after["xvda"] == bytes(half) + case.disks[0].content[half:]


# disk: a request a line.

WRITES = ((0, 1, 1), (255, 1, 2), (8, 100, 3), (3, 9, 4), (128, 120, 5))
BEYOND = ((256, 1), (255, 2), (2**40, 1), (2**64 - 1, 2))


def _lines(result):
    """What the guest answered, behind what it said of its disk."""
    assert result.status == 0, result
    info, *lines = result.console.splitlines()
    return info, lines


def _read(content, sector, nr):
    data = content[sector * SECTOR:(sector + nr) * SECTOR]
    return f"sum {sum_of(data)} status 0"


def _kept(case, result, after):
    info, lines = _lines(result)
    content = bytearray(case.disks[0].content)
    expected = []
    for sector, nr, byte in WRITES:
        content[sector * SECTOR:(sector + nr) * SECTOR] = \
            bytes([byte]) * nr * SECTOR
        expected += ["status 0", _read(content, sector, nr), "status 0"]
    expected += ["status -22"] * len(BEYOND) + [_read(content, 0, 256)]
    assert info.startswith("xvda 256 sectors of 512 flush"), result
    assert lines == expected, result
    assert after["xvda"] == content


def _refused(case, result, _):
    info, lines = _lines(result)
    assert " ro" in info, result
    assert lines[0] == "status -30", result  # EROFS
    assert lines[1] in ("status -30", "status -95"), result
    assert lines[2:] == [_read(case.disks[0].content, 0, 64)], result


def _discarded(case, result, after):
    info, lines = _lines(result)
    if " discard" not in info:
        raise tap.Skip("this file system cannot punch holes")
    content = bytes(64 * SECTOR) + case.disks[0].content[64 * SECTOR:]
    assert lines == ["status 0", _read(content, 0, 128)], result
    assert after["xvda"] == content


def _keys(*lines):
    return "".join(line + "\n" for line in (*lines, "quit"))


CASES = [
    Case("blksum", "", _summed, Disk(random_bytes(ODD))),
    Case("blksum", "the second of two disks", _summed,
         Disk(random_bytes(64 * SECTOR, 2), "w"),
         Disk(random_bytes(MIB, 3), vdev="xvdb"), args=["xvdb"]),
    Case("blksum", "without a disk", _there_is_none),
    Case("blkbench", "", _measured, Disk(random_bytes(4 * MIB)),
         args=["rw=randread", "count=300", "json=1"]),
    Case("blkbench", "large requests", _measured, Disk(random_bytes(4 * MIB)),
         args=["rw=read", "bs=1m", "depth=4", "count=20", "json=1"]),
    Case("blkbench", "written in order", _wrote_the_first_half,
         Disk(random_bytes(4 * MIB), "w"),
         args=["rw=write", "bs=64k", "depth=1", "count=32", "json=1"]),
    Case("blkbench", "persistent grants", _wrote_persistent,
         Disk(random_bytes(8 * MIB), "w"),
         args=["rw=randwrite", "persistent=1", "bs=128k", "count=100",
               "json=1"]),
    Case("blkbench", "a deep queue", _wrote_deep,
         Disk(random_bytes(4 * MIB), "w"),
         args=["rw=randwrite", "depth=256", "flush=64", "count=640",
               "json=1"]),
    Case("disk", "", _kept, Disk(bytes(256 * SECTOR), "w"), keys=_keys(
        *(line for sector, nr, byte in WRITES for line in
          (f"write {sector} {nr} {byte}", f"read {sector} {nr}", "flush")),
        *(f"write {sector} {nr} 1" for sector, nr in BEYOND), "read 0 256")),
    Case("disk", "read-only", _refused, Disk(random_bytes(64 * SECTOR)),
         keys=_keys("write 0 1 1", "discard 0 64", "read 0 64")),
    Case("disk", "discard", _discarded, Disk(random_bytes(128 * SECTOR), "w"),
         keys=_keys("discard 0 64", "read 0 128")),
]
