#!/usr/bin/env python3
"""The web server unikernel, visited as the world would: through passt, and
through a tap device by the kernel's own TCP."""
import http.client
import os
import re
import shutil
import socket
import subprocess
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import lan  # noqa: E402
import tap  # noqa: E402


class Web(lan.Server):
    """httpd while it runs; for a with statement."""

    def connect(self):
        return http.client.HTTPConnection(self.address, self.port, timeout=20)

    def get(self, path="/"):
        line = self.connect()
        line.request("GET", path)
        return line.getresponse().read().decode()


def by_passt():
    return lan.by_passt("httpd", "httpd: http://", 80, Web)


def by_tap(device):
    return device.server("httpd", "httpd: http://", 80, Web)


def requests(page):
    return int(re.search(r"requests</td><td>(\d+)", page).group(1))


def a_page_comes_through_passt():
    with by_passt() as server:
        page = server.get()
        assert "<h1>A Paravane unikernel</h1>" in page, page
        assert requests(server.get()) == requests(page) + 1


def one_connection_carries_many_requests():
    with by_passt() as server:
        line = server.connect()
        seen = []
        for _ in range(50):
            line.request("GET", "/")
            seen.append(requests(line.getresponse().read().decode()))
        assert seen == list(range(seen[0], seen[0] + 50)), seen


def other_methods_are_answered():
    with by_passt() as server:
        line = server.connect()
        line.request("HEAD", "/")
        answer = line.getresponse()
        assert answer.status == 200 and answer.read() == b"", answer.status
        line.request("DELETE", "/")
        answer = line.getresponse()
        assert answer.status == 405, answer.status
        assert answer.getheader("Allow") == "GET, HEAD"


def visitors_who_talk_nonsense_disturb_nobody():
    with by_passt() as server:
        for nonsense in (b"\0" * 10000, b"GET", b"x" * 5000, b""):
            with socket.create_connection((server.address, server.port)) as s:
                s.sendall(nonsense)
        assert "unikernel" in server.get()


def many_visit_at_once():
    with by_passt() as server:
        pages, errors = [], []

        def visit():
            try:
                for _ in range(5):
                    pages.append(server.get())
            except OSError as error:
                errors.append(error)
        threads = [threading.Thread(target=visit) for _ in range(20)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(pages) == 100 and not errors, (len(pages), errors)
        assert requests(server.get()) == 101


def the_kernel_reaches_it_by_a_tap_device():
    with lan.Tap() as device, by_tap(device) as server:
        assert lan.GUEST in server.said, server.said
        for _ in range(200):
            page = server.get()
        assert requests(page) == 200, page
        ping = subprocess.run(["ping", "-c", "3", "-i", "0.2", lan.GUEST],
                              capture_output=True, text=True, check=False) \
            if shutil.which("ping") else None
        assert not ping or " 0% packet loss" in ping.stdout, ping


def it_speaks_ipv6():
    with lan.Tap() as device, by_tap(device) as server:
        server.address = lan.GUEST6
        assert "unikernel" in server.get()


def answer_names(sock):
    """A server of names that knows one: parrot.test, without an IPv6
    address."""
    while True:
        try:
            question, who = sock.recvfrom(512)
        except OSError:
            return
        name_end = question.index(b"\0", 12) + 1
        known = question[12:name_end].lower() == b"\6parrot\4test\0"
        wants_ipv4 = question[name_end:name_end + 2] == b"\0\1"
        answers = int(known and wants_ipv4)
        sock.sendto(
            question[:2] + (b"\x81\x80" if known else b"\x81\x83") +
            b"\0\1" + bytes([0, answers]) + b"\0\0\0\0" +
            question[12:name_end + 4] +
            (b"\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4" +
             socket.inet_aton(lan.HOST)) * answers, who)


def speak_once(listener):
    line, _ = listener.accept()
    line.sendall(b"hello, guest\n")
    line.close()


def it_finds_names_and_connects():
    with lan.Tap() as device, \
            socket.socket(type=socket.SOCK_DGRAM) as names, \
            socket.socket() as listener:
        try:
            names.bind((lan.HOST, 53))
        except OSError as error:
            raise tap.Skip(f"no server of names here: {error}") from None
        listener.bind((lan.HOST, 0))
        listener.listen(1)
        listener.settimeout(30)
        threading.Thread(target=answer_names, args=[names],
                         daemon=True).start()
        threading.Thread(target=speak_once, args=[listener],
                         daemon=True).start()
        result = guest.run(
            "--net", f"vifname={device.name}", guest=guest.image("names"),
            args=[f"ip={lan.GUEST}/24,gw={lan.HOST},dns={lan.HOST}",
                  "parrot.test", "nobody.test", "192.0.2.7",
                  str(listener.getsockname()[1])])
    assert result.status == 0, result
    assert result.console.splitlines() == [
        f"parrot.test: {lan.HOST}", "nobody.test: Name does not resolve",
        "192.0.2.7: 192.0.2.7", "hello, guest"], result


if __name__ == "__main__":
    sys.exit(tap.main([
        a_page_comes_through_passt,
        one_connection_carries_many_requests,
        other_methods_are_answered,
        visitors_who_talk_nonsense_disturb_nobody,
        many_visit_at_once,
        the_kernel_reaches_it_by_a_tap_device,
        it_speaks_ipv6,
        it_finds_names_and_connects,
    ]))
