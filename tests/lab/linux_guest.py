"""Debian's cloud kernel, unmodified, as a guest: its bzImage as the package has
it, and an initial file system with a shell."""
import os
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
sys.path.insert(0, HERE)
import debian  # noqa: E402
import initramfs  # noqa: E402
import kernel  # noqa: E402

PROMPT = "^stranger# "
MODULES = ("xen-blkfront", "xen-netfront")
# For udhcpc: the address and the way out that it was given.
DHCP = b"""#!/bin/sh
[ "$1" = bound ] || exit 0
ip addr add "$ip/$mask" dev "$interface"
ip route add default via "$router"
echo "$router" >/router
"""


def fetch():
    """The folders of its kernel's package and of busybox's."""
    linux = debian.linux_image("cloud-amd64")
    trees = debian.fetch(linux, "busybox-static")
    return trees[linux], trees["busybox-static"]


def files(more=None):
    """Its kernel, a path, and its initrd, bytes; (more) adds to that."""
    linux, busybox = fetch()
    contents = initramfs.Initramfs()
    contents.file("init", os.path.join(HERE, "stranger-init"), 0o755)
    contents.file("bin/busybox",
                  debian.find([busybox], "bin/busybox", "usr/bin/busybox"))
    contents.bytes("dhcp", DHCP, 0o755)
    order = []
    for file in kernel.modules(linux, *MODULES):
        order.append(f"/modules/{os.path.basename(file)}")
        contents.file(order[-1], file)
    contents.bytes("modules.order", "\n".join(order + [""]).encode())
    if more:
        more(contents)
    return kernel.bzimage(linux), contents.pack()
