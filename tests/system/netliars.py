#!/usr/bin/env python3
"""A guest that lies to its network backend loses that device at most, and a
wire that lies to it nothing at all."""
import os
import random
import socket
import struct
import sys
import threading

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import lan  # noqa: E402
import tap  # noqa: E402
import wire  # noqa: E402

CONNECTED, CLOSING = 4, 5


def lie(*args, during=None):
    """What came of it; the second device always works."""
    with wire.Wire() as first, wire.Wire() as second:
        process = guest.start("--net", first.spec, "--net", second.spec,
                              guest=guest.image("netliar"), args=list(args))
        first.answer()
        second.answer()
        if during:
            during(process, first)
        result = guest.finish(process)
        assert result.status == 0, (args, result)
        assert result.console.endswith("survived\n"), (args, result)
        frame = second.receive()
        assert frame and frame[:14] == b"\xff" * 14, (args, frame)
    return result


def said(result):
    line, = [l for l in result.console.splitlines() if l.startswith("okay")]
    return line


def wrong_packets_are_refused_one_by_one():
    result = lie("wrong-packets")
    assert result.report == "", result
    assert said(result) == "okay 1, error 12, other 2, state 4", result


def what_was_taken_back_is_not_sent():
    result = lie("taken-back")
    assert result.report == "", result
    assert said(result) == "okay 25, error 25, other 0, state 4", result


def broken(what, sentence):
    result = lie(what)
    assert sentence in guest.one_sentence(result), (what, result)
    assert f"state {CLOSING}" in said(result), (what, result)


def chains_that_do_not_end_end_the_device():
    broken("many-slots", "more than 20 slots")
    broken("many-extras", "more than 5 pieces of extra information")
    broken("half-a-packet", "ends in the middle")
    broken("half-an-extra", "ends in the middle")


def counters_that_lie_end_the_device():
    for what in ("rewound", "far-ahead"):
        broken(what, "transmit ring's counters make no sense")
    broken("receive-rewound", "receive ring's counters make no sense")


def buffers_that_cannot_be_written_to_are_answered():
    def flood(process, line):
        assert process.stdout.readline() == b"send\n"
        line.send(*[wire.frame(bytes(100))] * 8)
    result = lie("wrong-buffers", during=flood)
    assert result.report == "", result
    assert said(result) == "okay 0, error 8, other 0, state 4", result


def wishes_that_make_no_sense_are_refused():
    result = lie("wrong-wishes")
    assert result.report == "", result
    assert said(result) == "okay 1, error 12, other 0, state 4", result
    broken("wishes-rewound", "control ring's counters make no sense")


def a_port_that_is_closed_is_nobodys():
    assert lie("port-closed").report == ""


def keys_that_cannot_be_are_refused():
    for key, value in (("tx-ring-ref", "60000"), ("rx-ring-ref", "0xffffffff"),
                       ("event-channel", "4000"), ("event-channel", "1"),
                       ("request-rx-copy", "0"),
                       ("ctrl-ring-ref", "60000"), ("event-channel-ctrl", "4000"),
                       ("multi-queue-num-queues", "0"),
                       ("multi-queue-num-queues", "9"),
                       ("multi-queue-num-queues", "2")):
        result = lie("key", key, value)
        assert "it was not refused" not in result.console, (key, value, result)
        assert "vif 0: the guest's " in guest.one_sentence(result), result


def headers(noise):
    """Frames that begin as something, and go on as anything."""
    mac = bytes.fromhex("00163e000007")
    kind = noise.choice([b"\x08\x00", b"\x08\x06", b"\x86\xdd",
                         noise.randbytes(2)])
    body = bytearray(noise.randbytes(noise.choice([0, 1, 20, 28, 40, 60, 600])))
    if kind == b"\x08\x00" and len(body) >= 20:
        body[0] = noise.choice([0x45, 0x4f, 0x40, body[0]])
        body[2:4] = struct.pack(">H", noise.choice([len(body), 0, 65535]))
        body[6:8] = noise.choice([b"\0\0", b"\x20\0", b"\x1f\xff"])
        body[9] = noise.choice([1, 2, 6, 17, body[9]])
        body[16:20] = bytes([10, 0, 0, 2])
        body[10:12] = b"\0\0"
        total = sum(struct.unpack(">10H", body[:20]))
        total = (total & 0xffff) + (total >> 16)
        body[10:12] = struct.pack(">H", ~(total + (total >> 16)) & 0xffff)
    if kind == b"\x86\xdd" and len(body) >= 40:
        body[0] = 0x60
        body[4:6] = struct.pack(">H", noise.choice([len(body) - 40, 0, 65535]))
        body[6] = noise.choice([0, 6, 17, 43, 44, 58, 60, body[6]])
        body[24:40] = bytes.fromhex("fd000000000000000000000000000002")
    return noise.choice([mac, wire.EVERYBODY]) + wire.OURS + kind + bytes(body)


def a_stack_lives_through_what_the_wire_brings():
    noise = random.Random(7)
    with wire.Wire() as line:
        process = guest.start(
            "--memory", "64M", "--net", f"{line.spec},mac=00:16:3e:00:00:07",
            guest=guest.example("echo"),
            args=["ip=10.0.0.2/24", "ip6=fd00::2/64"])
        line.answer()
        assert b"listening" in process.stdout.readline()
        threading.Thread(target=drain, args=[line.peer.dup()],
                         daemon=True).start()
        for _ in range(200):
            line.send(*[headers(noise) for _ in range(200)])
        assert process.poll() is None, guest.finish(process)
        process.terminate()  # it is there to be asked
        result = guest.finish(process)
    assert result.status == 0, result


def drain(sock):
    try:
        while sock.recv(1 << 20):
            pass
    except OSError:
        pass


def who_is_flooded_still_answers():
    with lan.Tap() as device, \
            device.server("echo", "echo: listening") as server:
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as flood, \
                socket.create_connection((lan.GUEST, 7), 30) as line:
            for i in range(30000):
                try:
                    flood.sendto(bytes(1400), (lan.GUEST, 9))
                except OSError:
                    pass
                if i % 3000 == 0:
                    line.sendall(b"still")
                    assert line.recv(5, socket.MSG_WAITALL) == b"still"
        assert server.process.poll() is None


if __name__ == "__main__":
    sys.exit(tap.main([
        wrong_packets_are_refused_one_by_one,
        what_was_taken_back_is_not_sent,
        chains_that_do_not_end_end_the_device,
        counters_that_lie_end_the_device,
        buffers_that_cannot_be_written_to_are_answered,
        wishes_that_make_no_sense_are_refused,
        a_port_that_is_closed_is_nobodys,
        keys_that_cannot_be_are_refused,
        a_stack_lives_through_what_the_wire_brings,
        who_is_flooded_still_answers,
    ]))
