"""The other end of a guest's network: frames over a stream socket, each behind
its length in four bytes (what QEMU calls "-netdev stream")."""
import os
import shutil
import socket
import struct
import tempfile

EXPERIMENT = b"\x88\xb5"  # an Ethernet type for local experiments
EVERYBODY = b"\xff" * 6
OURS = bytes.fromhex("020000000001")


def frame(payload, to=EVERYBODY, kind=EXPERIMENT, source=OURS):
    return to + source + kind + payload


class Wire:
    """Waits for one guest to connect; for a with statement."""

    def __init__(self, timeout=30):
        self.folder = tempfile.mkdtemp(prefix="paravane-wire-")
        self.path = os.path.join(self.folder, "socket")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(1)
        self.listener.settimeout(timeout)
        self.timeout = timeout
        self.peer = None
        self.buffer = b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.hang_up()
        self.listener.close()
        shutil.rmtree(self.folder)

    @property
    def spec(self):
        return f"socket={self.path}"

    def answer(self):
        """Let the guest connect."""
        self.peer, _ = self.listener.accept()
        self.peer.settimeout(self.timeout)

    def hang_up(self):
        if self.peer:
            self.peer.close()
            self.peer = None

    def send(self, *frames):
        self.peer.sendall(b"".join(struct.pack(">I", len(f)) + f
                                   for f in frames))

    def send_raw(self, data):
        self.peer.sendall(data)

    def receive(self):
        """The next frame; None when the guest hung up."""
        while True:
            if len(self.buffer) >= 4:
                (length,) = struct.unpack(">I", self.buffer[:4])
                if len(self.buffer) >= 4 + length:
                    got = self.buffer[4:4 + length]
                    self.buffer = self.buffer[4 + length:]
                    return got
            more = self.peer.recv(1 << 20)
            if not more:
                return None
            self.buffer += more
