"""The network's rows: a guest on a tap device against native programs on a veth
pair, or on the same tap device. All of it wants root, for the devices."""
import contextlib
import json
import os
import re
import shutil
import signal
import statistics
import subprocess
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [os.path.join(HERE, "..", "lab"),
                os.path.join(HERE, "..", "harness")]
import debian  # noqa: E402
import lan  # noqa: E402
import tap as verdicts  # noqa: E402

SECONDS = 2
PINGS = 3000
PAGE = b"x" * 1024
MAC = "00:16:3e:00:00:07"
NAMESPACE = f"pvbench{os.getpid()}"
NEAR, FAR = "198.19.255.1", "198.19.255.2"
SEGMENTS = {"near": f"pvn{os.getpid()}"[:15], "far": f"pvf{os.getpid()}"[:15]}
NGINX = """daemon off; worker_processes 1; pid {folder}/pid; error_log stderr;
events {{ worker_connections 1024; }}
http {{ access_log off; sendfile on; tcp_nodelay on; keepalive_requests 1000000;
  client_body_temp_path {folder}; proxy_temp_path {folder};
  fastcgi_temp_path {folder}; uwsgi_temp_path {folder}; scgi_temp_path {folder};
  types {{ text/html html; }}
  server {{ listen {far}:80; root {folder}; }} }}
"""


@contextlib.contextmanager
def veth():
    """A network with another kernel's worth of stack at its other end."""
    lan.ip("netns", "add", NAMESPACE)
    try:
        lan.ip("link", "add", SEGMENTS["near"], "type", "veth", "peer", "name",
               SEGMENTS["far"], "netns", NAMESPACE)
        lan.ip("addr", "add", f"{NEAR}/24", "dev", SEGMENTS["near"])
        lan.ip("link", "set", SEGMENTS["near"], "up")
        lan.ip("-n", NAMESPACE, "addr", "add", f"{FAR}/24", "dev",
               SEGMENTS["far"])
        lan.ip("-n", NAMESPACE, "link", "set", SEGMENTS["far"], "up")
        lan.ip("-n", NAMESPACE, "link", "set", "lo", "up")
        yield
    finally:
        lan.ip("netns", "del", NAMESPACE)


@contextlib.contextmanager
def native(*command, there=True, ready=None):
    """A program at the other end of the veth pair, or here, while it runs."""
    where = ["ip", "netns", "exec", NAMESPACE] if there else []
    process = subprocess.Popen([*where, *command], stdout=subprocess.PIPE,
                               stderr=subprocess.DEVNULL)
    try:
        if ready:
            line = process.stdout.readline()
            if ready not in line.decode():
                raise SystemExit(f"{command}: {line}")
        else:
            time.sleep(0.5)
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait()


def output(*command):
    return subprocess.run(command, check=True,
                          capture_output=True).stdout.decode()


def iperf(address, *more):
    """Gbit/s that arrived."""
    said = json.loads(output("iperf3", "-J", "-c", address, "-t",
                             str(SECONDS), *more))
    return said["end"]["sum_received"]["bits_per_second"] / 1e9


def wrk(address):
    """Requests a second."""
    said = output("wrk", "-t1", "-c64", f"-d{SECONDS}s",
                  f"http://{address}/1k.html")
    if "Non-2xx" in said:
        raise SystemExit(said)
    return float(re.search(r"Requests/sec: *([\d.]+)", said).group(1))


def wire(build, *words):
    said = output(os.path.join(build, "tests", "bench", "wire"), *words)
    return json.loads(said) if said else None


def both(rounds, ours, theirs):
    """A round measures both, one after the other."""
    return [(ours(), theirs()) for _ in range(rounds)]


class Rows:
    def __init__(self, build, rounds, row):
        self.build, self.rounds, self._row = build, rounds, row
        self.wire = os.path.join(build, "tests", "bench", "wire")

    def row(self, what, peer, unit, target, pairs, better="larger"):
        ours, theirs = (statistics.median(side) for side in zip(*pairs))
        self._row(what, peer, ours, theirs, unit, target,
                  statistics.median(a / b for a, b in pairs), better)

    def streams(self, device):
        with device.server("iperf", "iperf: listening"), \
                native("iperf3", "-s"):
            for what, more in (("host to guest", []), ("guest to host", ["-R"])):
                self.row(f"TCP stream, {what}", "iperf3 on veth", "Gb/s", 0.5,
                         both(self.rounds, lambda: iperf(lan.GUEST, *more),
                              lambda: iperf(FAR, *more)))

    def pingpong(self, device):
        def trip(address, port):
            return wire(self.build, "pingpong", address, port,
                        str(PINGS))["ns"] / 1000
        with device.server("echo", "echo: listening"), \
                native(self.wire, "echo", "7", ready="ready"):
            self.row("64-byte UDP, there and back", "native on veth", "us", 1.5,
                     both(self.rounds, lambda: trip(lan.GUEST, "7"),
                          lambda: trip(FAR, "7")), "smaller")

    def flood(self):
        return wire(self.build, "flood", lan.GUEST, "7",
                    str(SECONDS))["rate"] / 1000

    def packets(self, device, paravane):
        """The tap device has one user at a time."""
        lan.ip("neigh", "replace", lan.GUEST, "lladdr", MAC, "dev",
               device.name)
        pairs, counted = [], []
        for _ in range(self.rounds):
            guest = subprocess.Popen(
                [paravane, "run", "--memory", "16M", "--net",
                 f"vifname={device.name},mac={MAC}",
                 os.path.join(self.build, "tests", "bench", "vif.elf")],
                stdout=subprocess.PIPE)
            guest.stdout.readline()
            ours = self.flood()
            wire(self.build, "end", lan.GUEST, "7")
            counted.append(json.loads(guest.stdout.readline()))
            guest.wait()
            with native(self.wire, "turn", device.name, there=False,
                        ready="ready"):
                pairs.append((ours, self.flood()))
        lan.ip("neigh", "del", lan.GUEST, "lladdr", MAC, "dev", device.name)
        self.row("64-byte UDP turned round, a second", "loop on the same tap",
                 "k", 0.8, pairs)
        self.notifications("notifications a packet, turned round",
                           sum(one["notifications"] for one in counted),
                           sum(one["frames"] for one in counted))

    def notifications(self, what, notified, frames):
        self._row(what, "a tenth", notified / frames, 0.1, "", 0.1,
                  round(notified / frames, 3), "smaller")

    def pages(self, device, folder):
        site = os.path.join(folder, "1k.html")
        with open(site, "wb") as file:
            file.write(PAGE)
        archive = os.path.join(folder, "site.tar")
        output("tar", "-cf", archive, "-C", folder, "1k.html")
        with open(os.path.join(folder, "conf"), "w",
                  encoding="ascii") as file:
            file.write(NGINX.format(folder=folder, far=FAR))
        program, libraries = nginx()
        with device.server("httpd", "httpd: http://", options=[
                "--disk", f"target={archive},vdev=xvda,access=ro"]), \
                native("env", f"LD_LIBRARY_PATH={libraries}", program, "-c",
                       os.path.join(folder, "conf"), "-p", folder):
            pairs = both(self.rounds, lambda: wrk(lan.GUEST) / 1000,
                         lambda: wrk(FAR) / 1000)
            status = output("curl", "-s", f"http://{lan.GUEST}/status")
        self.row("httpd, 1 KiB file, 64 connections", "nginx on veth", "k", 1.0,
                 pairs)

        def count(what):
            return int(re.search(rf"{what}</td><td>(\d+)", status).group(1))
        self.notifications(
            "notifications a packet, httpd",
            count("backend was notified") + count("it notified us"),
            count("frames received") + count("frames sent"))


def nginx():
    """Debian's, fetched and not installed: a service would start with it."""
    trees = debian.fetch("nginx", "libpcre2-8-0", "libssl3", "libcrypt1",
                         "zlib1g")
    folders = [os.path.join(tree, part, "x86_64-linux-gnu")
               for tree in trees.values() for part in ("lib", "usr/lib")]
    return (os.path.join(trees["nginx"], "usr/sbin/nginx"),
            ":".join(folder for folder in folders if os.path.isdir(folder)))


def measure(build, rounds, row, paravane):
    rows = Rows(build, rounds, row)
    try:
        for program in ("iperf3", "wrk", "curl"):
            lan.need_program(program, program)
        with lan.Tap() as device, veth():
            rows.streams(device)
            rows.pingpong(device)
            rows.packets(device, paravane)
            folder = tempfile.mkdtemp()
            os.chmod(folder, 0o755)  # nginx's worker is somebody else
            try:
                rows.pages(device, folder)
            finally:
                shutil.rmtree(folder)
    except verdicts.Skip as reason:
        print(f"no rows for the network, or not all: {reason}", flush=True)
