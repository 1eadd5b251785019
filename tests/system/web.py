#!/usr/bin/env python3
"""The web server unikernel, visited as the world would: through passt, and
through a tap device by the kernel's own TCP."""
import email.utils
import http.client
import io
import os
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import tempfile
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


LONG = "/".join(["a-rather-long-name-of-a-folder"] * 8) + "/page.html"
FILES = {
    "./index.html": b"<title>front page</title>",
    "./docs/index.html": b"<title>docs</title>",
    "./docs/plain.txt": b"",
    "./style.css": b"p { color: red }",
    "./with space & more.json": b"{}",
    "./noise.bin": os.urandom(3_000_000),
    LONG: b"found",
}
WRITTEN = 1_700_000_000


def site(folder, form=tarfile.GNU_FORMAT, files=None):
    """A disk with (files), as tar writes them."""
    path = os.path.join(folder, "site.tar")
    with tarfile.open(path, "w", format=form) as archive:
        docs = tarfile.TarInfo("./docs")
        docs.type = tarfile.DIRTYPE
        archive.addfile(docs)
        for name, content in (files or FILES).items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), WRITTEN
            archive.addfile(info, io.BytesIO(content))
    return path


def disk(path):
    return ["--disk", f"target={path},vdev=xvda,access=ro"]


def site_by_passt(folder, **more):
    return lan.by_passt("httpd", "httpd: http://", 80, Web,
                        options=disk(site(folder, **more)))


def ask(line, path, method="GET", **headers):
    line.request(method, path, headers={key.replace("_", "-"): value
                                        for key, value in headers.items()})
    answer = line.getresponse()
    answer.body = answer.read()
    return answer


def raw(server, data):
    """All that comes for (data) until the server hangs up."""
    with socket.create_connection((server.address, server.port), 20) as line:
        line.sendall(data)
        got = b""
        while some := line.recv(1 << 16):
            got += some
    return got


def files_come_as_they_are_in_the_archive():
    for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
        with tempfile.TemporaryDirectory() as folder, \
                site_by_passt(folder, form=form) as server:
            assert f"{len(FILES)} files" in server.said, server.said
            line = server.connect()
            for name, content in FILES.items():
                path = "/" + name.removeprefix("./").replace(
                    " ", "%20").replace("&", "%26")
                answer = ask(line, path)
                assert answer.status == 200, (path, answer.status)
                assert answer.body == content, path
                assert int(answer.getheader("Content-Length")) == len(content)


def types_follow_names():
    with tempfile.TemporaryDirectory() as folder, \
            site_by_passt(folder) as server:
        line = server.connect()
        for path, kind in (("/", "text/html; charset=utf-8"),
                           ("/docs/plain.txt", "text/plain; charset=utf-8"),
                           ("/style.css", "text/css; charset=utf-8"),
                           ("/with%20space%20&%20more.json",
                            "application/json"),
                           ("/noise.bin", "application/octet-stream"),
                           ("/status", "text/html; charset=utf-8")):
            answer = ask(line, path)
            assert answer.getheader("Content-Type") == kind, (path, answer)


def folders_lead_to_their_index():
    with tempfile.TemporaryDirectory() as folder, \
            site_by_passt(folder) as server:
        line = server.connect()
        answer = ask(line, "/docs?query")
        assert answer.status == 301, answer.status
        assert answer.getheader("Location") == "/docs/"
        assert b"docs" in ask(line, "/docs/").body
        assert b"front page" in ask(line, "/").body
        assert b"Paravane" in ask(line, "/status").body


def what_is_known_is_not_sent_again():
    with tempfile.TemporaryDirectory() as folder, \
            site_by_passt(folder) as server:
        line = server.connect()
        written = ask(line, "/noise.bin", "HEAD").getheader("Last-Modified")
        assert written == email.utils.formatdate(WRITTEN, usegmt=True), written
        answer = ask(line, "/noise.bin", If_Modified_Since=written)
        assert (answer.status, answer.body) == (304, b""), answer.status
        before = email.utils.formatdate(WRITTEN - 1, usegmt=True)
        answer = ask(line, "/noise.bin", If_Modified_Since=before)
        assert answer.status == 200 and answer.body == FILES["./noise.bin"]


def wrong_requests_are_answered_by_what_is_wrong():
    host = b"Host: here\r\n"
    with tempfile.TemporaryDirectory() as folder, \
            site_by_passt(folder) as server:
        for request, status in (
                (b"GET /nothing HTTP/1.1\r\nConnection: close\r\n" + host, 404),
                (b"GET /../index.html HTTP/1.1\r\n" + host, 400),
                (b"GET /%2e%2e/index.html HTTP/1.1\r\n" + host, 400),
                (b"GET /%zz HTTP/1.1\r\n" + host, 400),
                (b"GET /%00 HTTP/1.1\r\n" + host, 400),
                (b"GET index.html HTTP/1.1\r\n" + host, 400),
                (b"GET / HTTP/1.1\r\n", 400),
                (b"GET / HTTP/1.1\r\nno colon here\r\n" + host, 400),
                (b"GET /\r\n", 400),
                (b"GET / HTTP/2.0\r\n" + host, 505),
                (b"PUT / HTTP/1.1\r\nContent-Length: 3\r\n" + host, 405),
                (b"GET / HTTP/1.1\r\nContent-Length: 3\r\n" + host, 413),
                (b"GET / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n" + host,
                 413),
                (b"GET /" + b"x" * 5000, 431)):
            got = raw(server, request + b"\r\n")
            assert got.startswith(b"HTTP/1.1 %d " % status), (request, got)
        assert raw(server, b"GET / HTTP/1.0\r\n\r\n").startswith(
            b"HTTP/1.1 200 ")


def requests_may_come_all_at_once():
    with tempfile.TemporaryDirectory() as folder, \
            site_by_passt(folder) as server:
        got = raw(server, b"GET /style.css HTTP/1.1\r\nHost: a\r\n\r\n" * 20 +
                  b"GET /noise.bin HTTP/1.1\r\nHost: a\r\n"
                  b"Connection: close\r\n\r\n")
        assert got.count(b"HTTP/1.1 200 OK") == 21, got[:3000]
        assert got.endswith(FILES["./noise.bin"])


def who_reads_slowly_keeps_nobody_waiting():
    with tempfile.TemporaryDirectory() as folder, \
            site_by_passt(folder) as server:
        with socket.create_connection((server.address, server.port)) as slow:
            slow.sendall(b"GET /noise.bin HTTP/1.1\r\nHost: a\r\n\r\n" * 20)
            for _ in range(20):
                assert "front page" in server.get()
            got = slow.recv(100)
            assert got.startswith(b"HTTP/1.1 200 OK"), got


def a_disk_that_is_no_archive_is_told():
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "noise")
        with open(path, "wb") as file:
            file.write(os.urandom(8192))
        result = guest.run(*disk(path), guest=guest.example("httpd"))
    assert result.status == 1, result
    assert "no tar archive" in result.console, result


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
        files_come_as_they_are_in_the_archive,
        types_follow_names,
        folders_lead_to_their_index,
        what_is_known_is_not_sent_again,
        wrong_requests_are_answered_by_what_is_wrong,
        requests_may_come_all_at_once,
        who_reads_slowly_keeps_nobody_waiting,
        a_disk_that_is_no_archive_is_told,
        a_page_comes_through_passt,
        one_connection_carries_many_requests,
        other_methods_are_answered,
        visitors_who_talk_nonsense_disturb_nobody,
        many_visit_at_once,
        the_kernel_reaches_it_by_a_tap_device,
        it_speaks_ipv6,
        it_finds_names_and_connects,
    ]))
