#!/usr/bin/env python3
"""Make a disk for teachos (include/teachos/disk.h says how files lie there).

usage: mkfs.py OUTPUT BLOCKS [PATH=FILE...]

Folders on the way to a PATH are made. The same files give the same disk."""
import struct
import sys

BLOCK = 4096
NR_DIRECT = 11
NR_INODES = 256
FILE, FOLDER = 1, 2
INODE = struct.Struct("<14I8x")
ENTRY = struct.Struct("<I28s")


class Disk:
    def __init__(self, nr_blocks):
        bits = -(-nr_blocks // (BLOCK * 8))
        self.blocks = bytearray(nr_blocks * BLOCK)
        self.nr_blocks = nr_blocks
        self.bitmap = 1
        self.inodes = self.bitmap + bits
        self.data = self.next = self.inodes + NR_INODES * INODE.size // BLOCK
        self.nr_used = 1  # inodes; 0 is nobody's
        super_ = struct.pack("<8s5I", b"teachos1", nr_blocks, NR_INODES,
                             self.bitmap, self.inodes, self.data)
        self.blocks[:len(super_)] = super_

    def block(self, content):
        at, self.next = self.next, self.next + 1
        if at >= self.nr_blocks:
            sys.exit(f"mkfs.py: {self.nr_blocks} blocks are too few")
        self.blocks[at * BLOCK:at * BLOCK + len(content)] = content
        return at

    def reserve(self):
        self.nr_used += 1
        if self.nr_used > NR_INODES:
            sys.exit(f"mkfs.py: more than {NR_INODES - 1} files")
        return self.nr_used - 1

    def write(self, inode, type_, content):
        numbers = [self.block(content[at:at + BLOCK])
                   for at in range(0, len(content), BLOCK)]
        direct, more = numbers[:NR_DIRECT], numbers[NR_DIRECT:]
        if len(more) > BLOCK // 4:
            sys.exit("mkfs.py: a file is too large")
        indirect = self.block(struct.pack(f"<{len(more)}I", *more)) \
            if more else 0
        direct += [0] * (NR_DIRECT - len(direct))
        at = self.inodes * BLOCK + inode * INODE.size
        self.blocks[at:at + INODE.size] = \
            INODE.pack(type_, len(content), *direct, indirect)

    def folder(self, inode, parent, tree):
        entries = [(inode, "."), (parent, "..")]
        for name, what in sorted(tree.items()):
            child = self.reserve()
            entries.append((child, name))
            if isinstance(what, dict):
                self.folder(child, inode, what)
            else:
                with open(what, "rb") as file:
                    self.write(child, FILE, file.read())
        for _, name in entries:
            if len(name.encode()) >= 28:
                sys.exit(f"mkfs.py: the name {name} is too long")
        self.write(inode, FOLDER, b"".join(
            ENTRY.pack(number, name.encode()) for number, name in entries))

    def finish(self):
        for block in range(self.next):
            self.blocks[self.bitmap * BLOCK + block // 8] |= 1 << block % 8
        return self.blocks


def main():
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    tree = {}
    for word in sys.argv[3:]:
        path, _, source = word.partition("=")
        *folders, name = path.strip("/").split("/")
        at = tree
        for folder in folders:
            at = at.setdefault(folder, {})
        at[name] = source
    disk = Disk(int(sys.argv[2]))
    root = disk.reserve()
    disk.folder(root, root, tree)
    with open(sys.argv[1], "wb") as output:
        output.write(disk.finish())


if __name__ == "__main__":
    main()
