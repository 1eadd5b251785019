"""An initial file system for a lab's Linux, written without root."""
import gzip
import os
import re
import stat
import subprocess

import debian

LIBRARY_FOLDERS = ("lib/x86_64-linux-gnu", "usr/lib/x86_64-linux-gnu", "lib64",
                   "usr/lib64", "lib", "usr/lib")


class Initramfs:
    """Its files, by path. The folders above a file come with it."""

    def __init__(self):
        self.entries = {}  # path: (mode, contents, device)
        # The kernel opens it for init, before init could make one.
        self.node("dev/console", 5, 1)

    def _put(self, path, mode, contents=b"", device=(0, 0)):
        path = path.strip("/")
        parts = path.split("/")
        for i in range(1, len(parts)):
            self.entries.setdefault("/".join(parts[:i]),
                                    (stat.S_IFDIR | 0o755, b"", (0, 0)))
        self.entries[path] = (mode, contents, device)

    def bytes(self, path, contents, mode=0o644):
        self._put(path, stat.S_IFREG | mode, contents)

    def file(self, path, source, mode=None):
        """What the host has as (source), with its mode if none is given."""
        with open(source, "rb") as file:
            contents = file.read()
        if mode is None:
            mode = stat.S_IMODE(os.stat(source).st_mode)
        self.bytes(path, contents, mode)

    def folder(self, path, mode=0o755):
        self._put(path, stat.S_IFDIR | mode)

    def tree(self, path, source):
        """A folder of the host with all in it."""
        self.folder(path)
        for name in sorted(os.listdir(source)):
            there, here = os.path.join(source, name), f"{path}/{name}"
            if os.path.islink(there):
                self.link(here, os.readlink(there))
            elif os.path.isdir(there):
                self.tree(here, there)
            else:
                self.file(here, there)

    def link(self, path, target):
        self._put(path, stat.S_IFLNK | 0o777, os.fsencode(target))

    def node(self, path, major, minor, mode=0o600):
        self._put(path, stat.S_IFCHR | mode, device=(major, minor))

    def pack(self):
        """The cpio archive, in the kernel's "newc" format (its
        Documentation/driver-api/early-userspace/buffer-format.rst). Archives
        may follow each other in one initrd; of two files of one name the later
        wins."""
        parts = []
        for number, (path, entry) in enumerate(self.entries.items(), 1):
            parts.append(_record(number, path, *entry))
        parts.append(_record(0, "TRAILER!!!", 0, b"", (0, 0)))
        return b"".join(parts)

    def write(self, path, compress=False):
        """As the file (path). Unpacking takes an emulated CPU longer than
        reading."""
        packed = self.pack()
        with open(path, "wb") as file:
            file.write(gzip.compress(packed, 1) if compress else packed)


def _record(number, path, mode, contents, device):
    name = os.fsencode(path) + b"\0"
    links = 2 if stat.S_ISDIR(mode) else 1
    fields = (number, mode, 0, 0, links, 0, len(contents), 0, 0, *device,
              len(name), 0)
    header = b"070701" + b"".join(b"%08x" % field for field in fields)
    return _aligned(header + name) + _aligned(contents)


def _aligned(data):
    return data + bytes(-len(data) % 4)


def libraries(programs, trees):
    """The shared libraries that (programs), files of the host, need from the
    folders (trees), and theirs: {path in the file system: file}. The program
    interpreter is among them."""
    found = {}
    left = list(programs)
    while left:
        said = subprocess.run(["readelf", "-d", "-l", left.pop()], text=True,
                              capture_output=True, check=True).stdout
        wanted = [(name, [f"{folder}/{name}" for folder in LIBRARY_FOLDERS])
                  for name in re.findall(r"\(NEEDED\).*\[(.*)\]", said)]
        wanted += [(path, [path, "usr" + path]) for path in
                   re.findall(r"program interpreter: (.*)\]", said)]
        for name, places in wanted:
            path = os.path.join("/", LIBRARY_FOLDERS[0], name)
            if path not in found:
                found[path] = _followed(debian.find(trees, *places), trees)
                left.append(found[path])
    return found


def _followed(path, trees):
    """A link's target within its tree, even where it is absolute."""
    for tree in trees:
        if path.startswith(tree + os.sep):
            while os.path.islink(path):
                target = os.readlink(path)
                path = (tree + target if target.startswith("/") else
                        os.path.join(os.path.dirname(path), target))
    return os.path.normpath(path)
