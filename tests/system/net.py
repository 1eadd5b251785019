#!/usr/bin/env python3
"""Network devices: what goes over the wire, and what becomes of a domain whose
wire is bad, missing or cut."""
import os
import re
import shutil
import signal
import socket
import struct
import sys
import threading
import time

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import lan  # noqa: E402
import tap  # noqa: E402
import wire  # noqa: E402

END = wire.frame(b"end" + bytes(43))


def start(line, *options, args=()):
    process = guest.start("--net", line.spec, *options,
                          guest=guest.image("frames"), args=args)
    line.answer()
    wait_for_link(process)
    return process


def wait_for_link(process):
    """What comes before the guest listens is nobody's."""
    process.greeting = process.stdout.readline().decode()
    assert "link up" in process.greeting, (process.greeting,
                                           guest.finish(process))


def echo(line, payload):
    """What comes back of a frame, turned round."""
    line.send(wire.frame(payload))
    back = line.receive()
    assert back[:6] == wire.OURS, back[:14]
    assert back[12:14] == wire.EXPERIMENT, back[:14]
    return back[14:]


def finish(line, process):
    line.send(END)
    line.receive()
    result = guest.finish(process)
    result.console = process.greeting + result.console
    return result


def frames_of_all_sizes_come_back():
    with wire.Wire() as line:
        process = start(line)
        for size in (0, 1, 46, 47, 1500, 4082, 4083, 8178, 9000, 65521):
            payload = os.urandom(size)
            assert echo(line, payload) == payload, size
        result = finish(line, process)
    assert result.status == 0, result
    assert "11 echoed, 0 lost, 0 refused" in result.console, result
    assert "mtu 1500, link up" in result.console, result


def frames_in_pieces_arrive_whole():
    with wire.Wire() as line:
        process = start(line, args=["pieces"])
        got = line.receive()
        result = finish(line, process)
    assert got[:6] == wire.EVERYBODY and got[12:14] == wire.EXPERIMENT, got[:20]
    assert got[14:] == b"\x42" * 601, len(got)
    assert result.status == 0, result


def a_flood_comes_back_in_order():
    number = 3000
    with wire.Wire() as line:
        process = start(line)
        frames = [wire.frame(struct.pack(">I", i) + bytes(56))
                  for i in range(number)]
        sender = threading.Thread(target=line.send, args=frames)
        sender.start()
        for i in range(number):
            got = line.receive()
            assert struct.unpack(">I", got[14:18])[0] == i, (i, got[:20])
        sender.join()
        result = finish(line, process)
    assert result.status == 0, result
    assert f"{number + 1} echoed, 0 lost, 0 refused" in result.console, result


def flow_frame(flow, number):
    """One of a flow, which both ends know by where its bytes stand: our
    backend by what is behind the header, the guest by the addresses."""
    who = struct.pack(">I", flow)
    return wire.frame(struct.pack(">I", number) + bytes(8) + who + bytes(40),
                      source=b"\2\0" + who)


def flood_of_flows(line, nr_flows, nr_frames):
    """Each flow comes back in its order, whatever the others do."""
    frames = [flow_frame(flow, number) for number in range(nr_frames)
              for flow in range(nr_flows)]
    sender = threading.Thread(target=line.send, args=frames)
    sender.start()
    seen = [0] * nr_flows
    for _ in frames:
        got = line.receive()
        (flow,), (number,) = (struct.unpack(">I", got[at:at + 4])
                              for at in (26, 14))
        assert got[2:6] == struct.pack(">I", flow), got[:30]
        assert number == seen[flow], (flow, number, seen[flow])
        seen[flow] += 1
    sender.join()


def several_vcpus(engine):
    def test():
        guest.need_engine(engine)
        guest.need_vcpus(engine)
        for vcpus, queues, parallel in ((2, 2, True), (2, 2, False),
                                        (6, 4, True), (1, 1, True)):
            with wire.Wire() as line:
                process = start(line, "--engine", engine,
                                "--vcpus", str(vcpus),
                                args=["parallel"] if parallel else [])
                for flow in range(16):  # an event for each
                    line.send(flow_frame(flow, 0))
                    line.receive()
                flood_of_flows(line, 16, 100)
                result = finish(line, process)
            assert result.status == 0, result
            assert "1617 echoed, 0 lost, 0 refused" in result.console, result
            found = re.search(r"(\d+) queues, (\d+) frames beside vCPU 0",
                              result.console)
            assert int(found[1]) == queues, result
            spread = int(found[2]) > 0
            assert spread == (parallel and queues > 1), result
    test.__name__ = f"several vCPUs have a queue each, on {engine}"
    return test


def address(name):
    with wire.Wire() as line:
        process = start(line, "--name", name)
        result = finish(line, process)
    return re.search(r"address (\S+),", result.console).group(1)


def a_domain_keeps_its_address():
    first = address("web")
    assert first.startswith("00:16:3e:"), first
    assert address("web") == first
    assert address("mail") != first


def what_the_user_says_reaches_the_guest():
    with wire.Wire() as line:
        process = guest.start(
            "--net", f"{line.spec},mac=00:16:3e:12:34:56,mtu=9000",
            guest=guest.image("frames"))
        line.answer()
        wait_for_link(process)
        result = finish(line, process)
    assert "address 00:16:3e:12:34:56, mtu 9000" in result.console, result


def two_guests_talk_to_each_other():
    with wire.Wire() as line:
        path = line.path + "2"
        one = guest.start("--net", f"listen={path}", guest=guest.image("frames"))
        while not os.path.exists(path):
            assert one.poll() is None, guest.finish(one)
        # the second sends a frame in pieces to all; the first turns it round
        # to the second, and so on for ever: enough to see that it goes on
        two = guest.start("--net", f"socket={path}", "-v", "--trace", "net",
                          guest=guest.image("frames"), args=["pieces"])
        seen = 0
        for text in two.stderr:
            seen += b"received, 615 bytes" in text
            if seen > 100:
                break
        for process in (one, two):
            process.kill()
            process.communicate()
    assert seen > 100, seen


def says(process, text):
    """Reads its report up to a line with (text)."""
    said = b""
    for line in process.stderr:
        said += line
        if text.encode() in line:
            return
    raise AssertionError((text, said))


def a_peer_that_hangs_up_takes_only_the_link():
    with wire.Wire() as line:
        process = start(line)
        assert echo(line, b"x" * 50) == b"x" * 50
        line.hang_up()
        says(process, "the guest's link is down")
        assert process.poll() is None
        process.kill()
        process.communicate()


def a_peer_that_lies_takes_only_the_link():
    for lie in (b"\0\0\0\0", b"\xff\xff\xff\xff", b"\0\0\0\5abcde"):
        with wire.Wire() as line:
            process = start(line)
            assert echo(line, b"x" * 50) == b"x" * 50
            line.send_raw(lie)
            says(process, "impossible length")
            assert process.poll() is None
            process.kill()
            process.communicate()


def a_link_comes_back_with_the_next_peer():
    with wire.Wire() as line:
        path = line.path + "2"
        process = guest.start("--net", f"listen={path}",
                              guest=guest.image("frames"))
        for number in range(3):
            while not os.path.exists(path):
                assert process.poll() is None, guest.finish(process)
            line.hang_up()
            line.buffer = b""
            line.peer = socket.socket(socket.AF_UNIX)
            line.peer.settimeout(30)
            line.peer.connect(path)
            if number == 0:
                wait_for_link(process)
            assert echo(line, b"%d" % number * 50) == b"%d" % number * 50
            if number < 2:
                line.hang_up()
                says(process, "the guest's link is down")
        result = finish(line, process)
    assert result.status == 0, result
    assert "4 echoed" in result.console, result


def a_socket_is_connected_to_again():
    with wire.Wire() as line:
        process = start(line)
        for number in range(3):
            assert echo(line, b"%d" % number * 50) == b"%d" % number * 50
            line.hang_up()
            line.buffer = b""
            says(process, "the guest's link is down")
            line.answer()
            says(process, "the guest's link is up")
        result = finish(line, process)
    assert result.status == 0, result
    assert "4 echoed" in result.console, result


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as file:
        return [int(word) for word in file.read().split()]


def a_socket_is_waited_for_and_its_keeper_missed():
    """Nobody listens for a while; and when nobody can look any more, that is
    told."""
    with wire.Wire() as line:
        process = start(line)
        os.rename(line.path, line.path + "2")
        line.hang_up()
        says(process, "the guest's link is down")
        time.sleep(0.5)
        os.rename(line.path + "2", line.path)
        line.answer()
        says(process, "the guest's link is up")
        (keeper,) = children(process.pid)
        os.kill(keeper, signal.SIGKILL)
        line.hang_up()
        says(process, "the link stays down")
        assert process.poll() is None
        process.kill()
        process.communicate()


def passt_is_started_again():
    with lan.by_passt("echo", "echo: listening", 7) as server:
        for time_nr in range(3):
            word = b"time %d" % time_nr
            with socket.create_connection(("127.0.0.1", server.port),
                                          30) as line:
                line.sendall(word)
                assert line.recv(100) == word
            if time_nr == 2:
                break
            (keeper,) = children(server.process.pid)
            (passt,) = children(keeper)
            os.kill(passt, signal.SIGKILL)
            says(server.process, "passt ended: the guest's link is down")
            says(server.process, "passt runs again: the guest's link is up")


def a_tap_that_is_made_anew_is_taken():
    with lan.Tap() as device, \
            device.server("echo", "echo: listening", 7) as server:
        for time_nr in range(3):
            word = b"time %d" % time_nr
            with socket.create_connection((server.address, server.port),
                                          30) as line:
                line.sendall(word)
                assert line.recv(100) == word
            if time_nr == 2:
                break
            device.remove()
            says(server.process, "the guest's link is down")
            device.make()
            says(server.process, "the guest's link is up")


def hello_with(spec, **popen):
    return guest.run("--net", spec, guest=guest.example("hello"), **popen)


def refused(spec, *words, **popen):
    result = hello_with(spec, **popen)
    sentence = guest.one_sentence(result)
    assert result.status == 1, result
    for word in words:
        assert word in sentence, (word, result)


def missing_wires_are_told():
    refused("socket=/nonexistent/socket", "/nonexistent/socket", "running?")
    refused("listen=/nonexistent/socket", "/nonexistent/socket")
    refused("socket=/" + "x" * 200, "too long")


def bad_specs_are_told():
    for specs, word in (
            ([""], "does not say"), (["user,socket=/x"], "several networks"),
            (["nonsense"], "nonsense"), (["colour=red"], "colour"),
            (["user,mac=00:16:3e:00:00"], "00:16:3e:00:00"),
            (["user,mac=00:16:3e:00:00:zz"], "zz"),
            (["user,mac=01:00:00:00:00:01"], "many receivers"),
            (["user,mac=00:00:00:00:00:00"], "all zero"),
            (["user,mtu=67"], "67"), (["user,mtu=65536"], "65536"),
            (["user,mtu=big"], "big"), (["user,mtu=1500,mtu=1500"], "twice"),
            (["user,rate=fast"], "fast"), (["user,rate=1b/s@1us"], "too low"),
            (["vifname=a/b"], "a/b"), (["bridge="], "bridge"),
            (["user,hostfwd=tcp::99999-:80"], "99999"),
            (["vifname=tap0,hostfwd=tcp::80-:80"], "forward"),
            (["user,script=vif-bridge"], "vif-bridge"),
            (["user,mac=00:16:3e:00:00:01", "user,mac=00:16:3e:00:00:01"],
             "same MAC")):
        options = [word for spec in specs for word in ("--net", spec)]
        result = guest.run(*options, guest=guest.example("hello"))
        assert result.status == 2, (specs, result)
        assert word in guest.one_sentence(result), (specs, result)


def passt_that_is_missing_or_cannot_is_told():
    env = {**os.environ, "PATH": "/nonexistent"}
    refused("user", "install", "passt", env=env)


def a_port_that_is_taken_is_told():
    if not shutil.which("passt"):
        raise tap.Skip("passt is not installed")
    with socket.socket() as taken, socket.socket(socket.AF_INET6) as taken6:
        taken.bind(("0.0.0.0", 0))
        taken.listen(1)
        port = taken.getsockname()[1]
        taken6.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        taken6.bind(("::", port))
        taken6.listen(1)
        refused(f"user,hostfwd=tcp::{port}-:80", "passt", str(port))


def a_device_that_is_no_tap_is_told():
    if not os.path.exists("/dev/net/tun"):
        raise tap.Skip("there is no /dev/net/tun here")
    try:
        os.close(os.open("/dev/net/tun", os.O_RDWR))
    except PermissionError:
        refused("vifname=pvtest0", "--net user")
        raise tap.Skip("not permitted to make tap devices") from None
    refused("vifname=lo", "'lo'", "another")
    refused("vifname=pvtest0,bridge=nosuchbr0", "nosuchbr0")


if __name__ == "__main__":
    sys.exit(tap.main([
        frames_of_all_sizes_come_back,
        frames_in_pieces_arrive_whole,
        a_flood_comes_back_in_order,
        several_vcpus("process"),
        several_vcpus("kvm"),
        a_domain_keeps_its_address,
        what_the_user_says_reaches_the_guest,
        two_guests_talk_to_each_other,
        a_peer_that_hangs_up_takes_only_the_link,
        a_peer_that_lies_takes_only_the_link,
        a_link_comes_back_with_the_next_peer,
        a_socket_is_connected_to_again,
        a_socket_is_waited_for_and_its_keeper_missed,
        passt_is_started_again,
        a_tap_that_is_made_anew_is_taken,
        missing_wires_are_told,
        bad_specs_are_told,
        passt_that_is_missing_or_cannot_is_told,
        a_port_that_is_taken_is_told,
        a_device_that_is_no_tap_is_told,
    ]))
