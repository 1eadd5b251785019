"""Networks for guests: a tap device with an address of the host's, passt."""
import functools
import os
import shutil
import socket
import subprocess

import guest
import tap

# Others run beside us, each in a network of its own.
_NUMBER = os.getpid() % 512
_NETWORK = f"198.{18 + _NUMBER // 256}.{_NUMBER % 256}"
HOST, GUEST = f"{_NETWORK}.1", f"{_NETWORK}.2"
HOST6, GUEST6 = f"fd77:{_NUMBER:x}::1", f"fd77:{_NUMBER:x}::2"
WORDS = [f"ip={GUEST}/24,gw={HOST}", f"ip6={GUEST6}/64"]


def need_program(name, package):
    if not shutil.which(name):
        raise tap.Skip(f"the program {name} is not installed ({package})")


def free_port():
    """Of both families: passt takes it in both."""
    with socket.socket(socket.AF_INET6) as one:
        one.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 0)
        one.bind(("::", 0))
        return one.getsockname()[1]


def ip(*words):
    subprocess.run(["ip", *words], check=True, capture_output=True)


class Server:
    """An image while it serves, from when it says so; for a with statement.
    (said) is how it says it."""

    def __init__(self, name, said, spec, address, port=0, args=(), options=()):
        self.address, self.port = address, port
        self._wanted = said
        self.process = guest.start(
            "--memory", "64M", "--net", spec, *options,
            guest=guest.example(name) if os.path.exists(guest.example(name))
            else guest.image(name), args=args)

    def __enter__(self):
        self.said = self.process.stdout.readline().decode()
        if not self.said.startswith(self._wanted):
            raise AssertionError((self.said, guest.finish(self.process)))
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.communicate()


@functools.cache
def need_passt():
    """It shuts itself in by namespaces, which not every system permits."""
    need_program("passt", "passt")
    result = guest.run("--net", "user", guest=guest.example("hello"))
    if "namespace" in result.report and "not permitted" in result.report:
        raise tap.Skip("passt may not make namespaces here")
    assert result.status == 0, result


def by_passt(name, said, guest_port, server=Server, kind="tcp", **more):
    need_passt()
    port = free_port()
    return server(name, said, f"user,hostfwd={kind}::{port}-:{guest_port}",
                  "127.0.0.1", port, **more)


def need_taps():
    if os.geteuid() or not os.path.exists("/dev/net/tun"):
        raise tap.Skip("only root, with /dev/net/tun, makes tap devices")
    need_program("ip", "iproute2")


class Tap:
    """A tap device with addresses of the host's; for a with statement."""

    def __init__(self, vnet_hdr=True):
        self.name = ("pvtest%d" % os.getpid())[:15]
        self._more = ["vnet_hdr"] if vnet_hdr else []

    def make(self):
        ip("tuntap", "add", "dev", self.name, "mode", "tap", *self._more)
        ip("addr", "add", f"{HOST}/24", "dev", self.name)
        ip("-6", "addr", "add", f"{HOST6}/64", "dev", self.name, "nodad")
        ip("link", "set", self.name, "up")

    def remove(self):
        ip("link", "del", self.name)

    def __enter__(self):
        need_taps()
        self.make()
        return self

    def __exit__(self, *_):
        self.remove()

    def server(self, name, said, port=0, server=Server, args=(), **more):
        return server(name, said, f"vifname={self.name}", GUEST, port,
                      [*WORDS, *args], **more)
