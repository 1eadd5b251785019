"""Network guests on real Xen, visited by dom0 through Linux's netback."""
from cases import Case

ADDRESS = "10.77.0.2"


def fetch(path):
    """A shell command that writes the answer; busybox's own wget falls over
    the libraries in dom0's file system."""
    return f"printf 'GET {path} HTTP/1.0\\r\\n\\r\\n' | nc {ADDRESS} 80"


class NetCase(Case):
    """A run with a network device. When the guest has said (ready), dom0 runs
    the script (visit), and (check) sees what it said as well."""

    def __init__(self, image, more, check, *disks, ready, visit, args=()):
        super().__init__(image, more, check, *disks,
                         args=[f"ip={ADDRESS}/24,gw=10.77.0.1", *args])
        self.ready, self.visit = ready, visit


def _was_visited(_, result, __):
    assert result.status == 0, result
    assert " 0% packet loss" in result.visited, result
    assert "<h1>A Paravane unikernel</h1>" in result.visited, result
    assert f"<td>{ADDRESS}</td>" in result.visited, result


CASES = [
    NetCase("httpd", "visited through Linux's netback", _was_visited,
            ready="http://", visit=f"""
                {fetch("/")}
                ping -c 4 -w 20 {ADDRESS}
            """),
]
