"""Network guests on real Xen, visited by dom0 through Linux's netback."""
import hashlib
import io
import random
import tarfile

from cases import Case, Disk

ADDRESS = "10.77.0.2"


def fetch(path):
    """Shell commands that write the answer; busybox's own wget falls over the
    libraries in dom0's file system."""
    return f"""
                for try in 1 2 3 4 5; do
                    printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' |
                        nc {ADDRESS} 80 >/run/answer
                    [ ! -s /run/answer ] || break
                    sleep 0.5
                done
                cat /run/answer"""


class NetCase(Case):
    """A run with a network device. When the guest has said (ready), dom0 runs
    the script (visit), and (check) sees what it said as well."""

    def __init__(self, image, more, check, *disks, ready, visit, args=(),
                 vcpus=1):
        super().__init__(image, more, check, *disks, vcpus=vcpus,
                         args=[f"ip={ADDRESS}/24,gw=10.77.0.1", *args])
        self.ready, self.visit = ready, visit


def _was_visited(case, result, _):
    assert result.status == 0, result
    assert " 0% packet loss" in result.visited, result
    assert "<h1>A Paravane unikernel</h1>" in result.visited, result
    assert f"<td>{ADDRESS}</td>" in result.visited, result
    assert f"<td>queues</td><td>{case.vcpus}</td>" in result.visited, result


NOISE = random.Random(5).randbytes(2 << 20)


def _site():
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as archive:
        info = tarfile.TarInfo("noise.bin")
        info.size = len(NOISE)
        archive.addfile(info, io.BytesIO(NOISE))
    return file.getvalue()


def _noise_came_whole(_, result, __):
    assert result.status == 0, result
    sums = [line.split()[0] for line in result.visited.splitlines()]
    assert sums == [hashlib.md5(NOISE).hexdigest()] * 2, result


CASES = [
    NetCase("httpd", "serving a file of its disk", _noise_came_whole,
            Disk(_site()), ready="http://", visit=f"""
                for time in 1 2; do
                    {fetch("/noise.bin")} >/run/got
                    tail -c {len(NOISE)} /run/got | md5sum
                done
            """),
    NetCase("httpd", "visited through Linux's netback", _was_visited, vcpus=2,
            ready="http://", visit=f"""
                {fetch("/")}
                ping -c 4 -w 20 {ADDRESS}
            """),
]
