#!/usr/bin/env python3
"""Guests as the programs of others find them: iperf3, ping, curl, nc, a
browser, a network analyser, and a kernel's own TCP in great numbers."""
import contextlib
import fcntl
import os
import select
import shutil
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import lan  # noqa: E402
import tap  # noqa: E402
import wire  # noqa: E402

ECHO, DISCARD, CHARGEN = 7, 9, 19
FEW = 5  # datagrams under way
MANY = 10000


def echo_by(device, **more):
    return device.server("echo", "echo: listening", **more)


def run(*words, timeout=60, **more):
    done = subprocess.run(words, capture_output=True, timeout=timeout,
                          check=False, **more)
    assert done.returncode == 0, done
    return done.stdout


def read_all(line, number):
    got = b""
    while len(got) < number:
        some = line.recv(min(number - len(got), 1 << 16))
        assert some, f"closed after {len(got)} bytes of {number}"
        got += some
    return got


def what_is_sent_by_tcp_comes_back():
    data = os.urandom(3 << 20)
    with lan.Tap() as device, echo_by(device):
        for address in (lan.GUEST, lan.GUEST6):
            with socket.create_connection((address, ECHO), 30) as line:
                sender = threading.Thread(target=line.sendall, args=[data])
                sender.start()
                got = read_all(line, len(data))
                sender.join()
            assert got == data, address


def exchange(line, datagrams):
    """Each comes back once. What got lost on a machine without time for us is
    said again; what was only kept back would come twice then, and fails."""
    missing = list(datagrams)
    for _ in range(3):
        for datagram in missing:
            line.send(datagram)
        with contextlib.suppress(TimeoutError):
            while missing:
                missing.remove(line.recv(65536))
            return
    raise AssertionError(f"{len(missing)} of {len(datagrams)} datagrams did "
                         "not come back in three times")


def datagrams_come_back_each_as_it_was():
    """A few at a time, as nobody promises to keep more for a guest that has no
    time; and in any order: the host's kernel takes frames on whichever CPU the
    domain was on when it wrote them."""
    with lan.Tap() as device, echo_by(device):
        for family, address in ((socket.AF_INET, lan.GUEST),
                                (socket.AF_INET6, lan.GUEST6)):
            with socket.socket(family, socket.SOCK_DGRAM) as line:
                line.settimeout(10)
                line.connect((address, ECHO))
                sent = [struct.pack(">I", i) + os.urandom(size)
                        for i, size in enumerate([0, 1, 60, 1400, 4000] * 12)]
                for i in range(0, len(sent), FEW):
                    exchange(line, sent[i:i + FEW])


def what_goes_to_discard_goes_nowhere():
    with lan.Tap() as device, echo_by(device):
        with socket.create_connection((lan.GUEST, DISCARD), 30) as line:
            line.sendall(bytes(1 << 20))
            line.shutdown(socket.SHUT_WR)
            assert line.recv(1) == b""


def characters_come_without_end():
    with lan.Tap() as device, echo_by(device):
        with socket.create_connection((lan.GUEST, CHARGEN), 30) as line:
            lines = read_all(line, 74 * 2000).split(b"\r\n")
        assert lines[0][:10] == b" !\"#$%&'()", lines[0]
        assert all(len(one) == 72 for one in lines[:-1])
        assert lines[1][:-1] == lines[0][1:] and lines[95] == lines[0]


def netcat_talks_with_it():
    lan.need_program("nc", "netcat-openbsd")
    with lan.Tap() as device, echo_by(device):
        said = b"are you there?\n"
        assert run("nc", "-N", lan.GUEST, str(ECHO), input=said) == said
        assert run("nc", "-N", lan.GUEST6, str(ECHO), input=said) == said


ONE = [], ["-R"]
FOUR = ["-P", "4"], ["-P", "4", "-R"]


def iperf3_streams(spec_to_server, address, port, ways=(*ONE, *FOUR)):
    lan.need_program("iperf3", "iperf3")
    with spec_to_server as server:
        for more in ways:
            run("iperf3", "-c", address, "-p", str(server.port or port), "-t",
                "1", *more)
            counted = server.process.stdout.readline().decode().split()
            streams = 4 if "-P" in more else 1
            assert counted[:3] == ["iperf:", str(streams), "streams,"], counted
            assert int(counted[3]) > 1 << 20, (more, counted)


def iperf3_streams_both_ways():
    with lan.Tap() as device:
        server = device.server("iperf", "iperf: listening")
        iperf3_streams(server, lan.GUEST, 5201)


def iperf3_streams_by_ipv6():
    with lan.Tap() as device:
        server = device.server("iperf", "iperf: listening")
        iperf3_streams(server, lan.GUEST6, 5201)


def iperf3_streams_through_passt():
    iperf3_streams(lan.by_passt("iperf", "iperf: listening", 5201),
                   "127.0.0.1", 0)


def ten_thousand_connections_open_and_close():
    with lan.Tap() as device, echo_by(device):
        for i in range(MANY):
            with socket.create_connection((lan.GUEST, ECHO), 30) as line:
                word = b"%d" % i
                line.sendall(word)
                assert read_all(line, len(word)) == word, i
                # leave no port behind that waits
                line.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                struct.pack("ii", 1, 0) if i % 2 else
                                struct.pack("ii", 0, 0))


def an_interface_that_was_down_carries_on():
    with lan.Tap() as device, echo_by(device):
        with socket.create_connection((lan.GUEST, ECHO), 30) as line:
            line.sendall(b"before")
            assert read_all(line, 6) == b"before"
            lan.ip("link", "set", device.name, "down")
            time.sleep(0.3)
            lan.ip("link", "set", device.name, "up")
            line.sendall(b"after")
            assert read_all(line, 5) == b"after"


def it_answers_pings_and_asks_them():
    lan.need_program("ping", "iputils-ping")
    with lan.Tap() as device:
        with echo_by(device):
            for address in (lan.GUEST, lan.GUEST6):
                for size in ("56", "4000"):
                    said = run("ping", "-c", "3", "-i", "0.2", "-s", size,
                               address).decode()
                    assert " 0% packet loss" in said, said
        for address in (lan.HOST, lan.HOST6):
            result = guest.run("--net", f"vifname={device.name}",
                               guest=guest.example("ping"),
                               args=[*lan.WORDS, address, "2"])
            assert result.status == 0, result
            # The host may still have the address of the guest before it.
            assert f" bytes from {address}: seq=1 " in result.console, result


def it_pings_without_ipv4():
    """With ip=none nobody waits for an address by DHCP either."""
    with lan.Tap() as device:
        result = guest.run("--net", f"vifname={device.name}",
                           guest=guest.example("ping"),
                           args=["ip=none", lan.WORDS[1], lan.HOST6, "2"])
    assert result.status == 0, result
    assert f" bytes from {lan.HOST6}: seq=1 " in result.console, result


def ping_tells_what_is_wrong():
    with lan.Tap() as device:
        for words, status, said in (
                ([], 2, "usage: ping HOST"),
                (["nobody.invalid"], 1, "ping: nobody.invalid: "),
                ([lan.GUEST[:-1] + "9", "1"], 1, "no answer to 0")):
            result = guest.run("--net", f"vifname={device.name}",
                               guest=guest.example("ping"),
                               args=[*lan.WORDS, *words])
            assert result.status == status, result
            assert said in result.console, result


def one_guest_pings_another():
    with wire.Wire() as folder:
        path = folder.path + "2"
        first = guest.start("--memory", "64M", "--net", f"listen={path}",
                            guest=guest.example("echo"),
                            args=["ip=10.0.0.1/24", "ip6=none"])
        while not os.path.exists(path):
            assert first.poll() is None, guest.finish(first)
        result = guest.run("--net", f"socket={path}",
                           guest=guest.example("ping"),
                           args=["ip=10.0.0.2/24", "ip6=none", "10.0.0.1",
                                 "3"])
        first.kill()
        first.communicate()
    assert result.status == 0, result
    assert "3 sent, 3 answered" in result.console, result


class Recorder:
    """Joins a guest on a stream socket with a tap device, and writes down each
    frame, whole, for tshark."""

    def __init__(self, line, device):
        self._line, self._device = line, device
        self._fd = None
        self.path = os.path.join(line.folder, "capture.pcap")
        self._file = open(self.path, "wb")
        self._file.write(struct.pack("<IHHiIII", 0xa1b2c3d4, 2, 4, 0, 0,
                                     65535, 1))
        self.frames = 0

    def start(self):
        self._fd = os.open("/dev/net/tun", os.O_RDWR)
        fcntl.ioctl(self._fd, 0x400454ca,  # TUNSETIFF: IFF_TAP | IFF_NO_PI
                    struct.pack("16sH22x", self._device.name.encode(), 0x1002))
        threading.Thread(target=self._run, daemon=True).start()

    def _record(self, frame):
        now = time.time()
        self._file.write(struct.pack("<IIII", int(now), int(now % 1 * 1e6),
                                     len(frame), len(frame)) + frame)
        self.frames += 1

    def _run(self):
        self._line.answer()
        peer = self._line.peer
        while True:
            ready = select.select([self._fd, peer], [], [])[0]
            if self._fd in ready:
                frame = os.read(self._fd, 65536)
                self._record(frame)
                self._line.send(frame)
            if peer in ready:
                try:
                    frame = self._line.receive()
                except OSError:
                    frame = None
                if frame is None:
                    return
                self._record(frame)
                os.write(self._fd, frame)

    def stop(self):
        self._file.flush()
        os.close(self._fd)


CHECKS = [word for name in ("ip.check_checksum", "tcp.check_checksum",
                            "udp.check_checksum")
          for word in ("-o", f"{name}:TRUE")]


def tshark(path, wanted):
    return run("tshark", "-r", path, *CHECKS, "-Y", wanted).decode()


def an_analyser_finds_nothing_wrong_with_its_frames():
    lan.need_program("tshark", "tshark")
    lan.need_program("curl", "curl")
    with wire.Wire() as line, lan.Tap(vnet_hdr=False) as device:
        recorder = Recorder(line, device)
        recorder.start()
        with lan.Server("httpd", "httpd: http://", line.spec, lan.GUEST, 80,
                        lan.WORDS):
            for address in (lan.GUEST, f"[{lan.GUEST6}]"):
                page = run("curl", "-s", f"http://{address}/").decode()
                assert "A Paravane unikernel" in page, page
            run("ping", "-c", "2", "-i", "0.2", lan.GUEST)
        recorder.stop()
        assert recorder.frames > 20, recorder.frames
        wrong = tshark(recorder.path,
                       "ip.checksum.status == 0 || tcp.checksum.status == 0 ||"
                       " udp.checksum.status == 0 || icmp.checksum.status == 0"
                       " || icmpv6.checksum.status == 0 || _ws.malformed")
        assert not wrong, wrong
        for wanted, number in (
                ("http.response.code == 200", 2), ("icmp.type == 0", 2),
                (f"arp.opcode == 2 && arp.src.proto_ipv4 == {lan.GUEST}", 1),
                (f"tcp.flags.syn && tcp.checksum.status == 1 && "
                 f"ip.src == {lan.GUEST}", 1)):
            assert len(tshark(recorder.path, wanted).splitlines()) >= number, \
                wanted


def a_browser_shows_its_page():
    browser = shutil.which("chromium") or shutil.which("chromium-browser")
    if not browser:
        raise tap.Skip("no browser is installed (chromium)")
    with lan.by_passt("httpd", "httpd: http://", 80) as server, \
            tempfile.TemporaryDirectory() as home:
        page = subprocess.run(
            [browser, "--headless", "--no-sandbox", "--disable-gpu",
             "--disable-dev-shm-usage", f"--user-data-dir={home}",
             "--dump-dom", f"http://127.0.0.1:{server.port}/"],
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=90,
            check=False, env={**os.environ, "HOME": home})
        text = page.stdout.decode(errors="replace")
        assert "<h1>A Paravane unikernel</h1>" in text, page


if __name__ == "__main__":
    sys.exit(tap.main([
        what_is_sent_by_tcp_comes_back,
        datagrams_come_back_each_as_it_was,
        what_goes_to_discard_goes_nowhere,
        characters_come_without_end,
        netcat_talks_with_it,
        iperf3_streams_both_ways,
        iperf3_streams_by_ipv6,
        iperf3_streams_through_passt,
        ten_thousand_connections_open_and_close,
        an_interface_that_was_down_carries_on,
        it_answers_pings_and_asks_them,
        it_pings_without_ipv4,
        ping_tells_what_is_wrong,
        one_guest_pings_another,
        an_analyser_finds_nothing_wrong_with_its_frames,
        a_browser_shows_its_page,
    ]))
