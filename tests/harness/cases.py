"""A run of an image, and what must come of it wherever it runs: on each engine,
in the labs, on real Xen."""


class Disk:
    """One disk of a case: raw (content), (access) r or w."""

    def __init__(self, content, access="r", vdev="xvda"):
        self.content, self.access, self.vdev = content, access, vdev


class Case:
    """A run of (image), the example or test image of that name. (more) is what
    is special about it; (keys) is typed at its console; (initrd) is the file
    beside the kernel, (vcpus) how many CPUs there are. check(result, after) is given the run's status and
    console, and the disks' contents by vdev."""

    def __init__(self, image, more, check, *disks, args=(), keys="",
                 initrd=b"", abis=("pv", "pvh"), vcpus=1):
        self.image, self.more, self.disks = image, more, disks
        self.args, self.keys, self.initrd = args, keys, initrd
        self.abis, self.vcpus = abis, vcpus
        self._check = check

    def check(self, result, after):
        for disk in self.disks:
            if disk.access == "r":
                assert after[disk.vdev] == disk.content, \
                    f"{disk.vdev} is read-only and was changed"
        self._check(self, result, after)


def sum_of(data):
    """As tests/guests/disk.c sums."""
    total = 1
    for byte in data:
        total = (total * 31 + byte) % 2**32
    return total
