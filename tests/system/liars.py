#!/usr/bin/env python3
"""A guest that lies about what it shares loses just that: a ring, a device, a
connection. The user is told once, the guest goes on, and so does all else."""
import contextlib
import os
import sys
import tempfile

sys.path.insert(0, os.path.join(os.path.dirname(__file__), "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

ENGINE = ["--engine", guest.ENGINE or "process"]
LIES = ["1", "1023", "1025", "2049", "0x80000000", "0xffffffff"]
SLOTS = 32


def lie(*args, options=(), **popen):
    """It always survives."""
    result = guest.run(*ENGINE, *options,
                       guest=guest.image("liar"), args=list(args), **popen)
    assert result.status == 0, (args, result)
    assert "survived\n" in result.console, (args, result)
    return result


@contextlib.contextmanager
def disk(access="r"):
    with tempfile.NamedTemporaryFile() as file:
        file.write(b"D" * 4096)
        file.flush()
        yield ["--disk", f"{file.name},raw,xvda,{access}"]
        file.seek(0)
        assert file.read() == b"D" * 4096


def silent(*args, **more):
    result = lie(*args, **more)
    assert result.report == "", (args, result)
    return result


def told(*args, says, **more):
    result = lie(*args, **more)
    assert says in guest.one_sentence(result), (args, result)
    return result


def what_the_host_counts_cannot_be_changed():
    """Its own indices are only shown; what it counts by is out of reach."""
    for value in LIES:
        for options in ([], ["--scatter-p2m"]):
            silent("console", "1", value, options=options)  # in_prod
            silent("console", "2", value, options=options)  # out_cons
            silent("store", "0", value, options=options)  # req_cons
            silent("store", "3", value, options=options)  # rsp_prod


def an_output_ring_that_lies_is_let_go():
    for value in ("2049", "4097", "0x80000000", "0xffffffff"):
        told("console", "3", value, says="console: the guest's output ring")


def an_input_ring_that_lies_is_let_go():
    """It is looked at as long as there may be input."""
    for value in ("1", "2000", "0x80000000"):
        process = guest.start(*ENGINE,
                              guest=guest.image("liar"),
                              args=["console", "0", value])
        assert process.stdout.read() == b"survived\n"  # stdin stays open
        result = guest.finish(process)
        assert result.status == 0, result
        assert "console: the guest's input ring" in \
            guest.one_sentence(result), result


def a_store_ring_that_lies_is_let_go():
    for value in ("0x80000000", "0xffffffff", "0x40000000"):
        told("store", "1", value, says="xenstore: the guest's ring")
    for value in ("0x80000000", "0xffffffff", "0x40000000"):
        result = lie("store", "2", value)  # seen when there is an answer
        assert result.report == "" or \
            "xenstore: the guest's ring" in guest.one_sentence(result), result


def the_other_words_of_the_store_page_are_harmless():
    for value in ("0", "1", "2", "3", "0xffffffff"):
        silent("store", "4", value)  # connection
        silent("store", "5", value)  # error


def messages_of_any_kind_are_survived():
    for kind in (0, 1, 2, 4, 9, 18, 21, 22, 99, 2**32 - 1):
        for length in (496, 4096):  # of one message, or a part of one
            silent("message", str(kind), str(length))
        for length in (0, 1, 4097, 2**31, 2**32 - 1):  # what follows is none
            told("message", str(kind), str(length),
                 says="xenstore: the guest's message")


def the_store_has_limits():
    result = silent("fill-store", "x", "100000", options=["--memory", "64M"])
    words = result.console.split("\n")[0].replace(",", "").split()
    counts = dict(zip(words[::2], map(int, words[1::2])))
    assert 100 < counts["nodes"] < 2000, result
    assert 1 < counts["transactions"] < 100, result
    assert 1 < counts["watches"] < 1000, result


def what_is_others_in_the_store_cannot_be_written():
    with disk() as options:
        result = silent("write-others", "x", "0", options=options)
        assert "written: 0\n" in result.console, result


def ports_of_others_are_shut():
    for vcpu in ("0", "1", "4294967295"):
        result = silent("knock", "x", vcpu)
        assert "opened: 0\n" in result.console, result


def a_guest_may_close_its_own_ports():
    silent("close-own-ports", "x", "0")
    with disk() as options:
        silent("close-own-ports", "x", "0", options=options)


def grants_of_others_cannot_be_taken():
    result = silent("take-grants", "x", "2000")
    assert "taken: 0\n" in result.console, result


def wrong_requests_are_answered_and_cost_nothing():
    with disk() as options:
        for more in ([], ["--scatter-p2m"]):
            result = silent("ask-wrongly", "x", "0", options=options + more)
            assert "wrong answers: 0\n" in result.console, result
            assert "works: 1\n" in result.console, result


def a_disk_ring_that_lies_is_let_go_and_can_be_had_again():
    with disk() as options:
        for value in (0, SLOTS + 2, 65536, 2**31, 2**32 - 1):
            result = told("disk", "0", str(value), options=options,
                          says="xvda: the guest's ring claims more requests")
            assert "state: 5\nworks: 1\n" in result.console, result
        for index in ("1", "2", "3"):
            for value in (0, 1, SLOTS + 2, 65536, 2**31, 2**32 - 1):
                result = silent("disk", index, str(value), options=options)
                assert "state: 4\n" in result.console, result


def wrong_keys_are_named_and_can_be_mended():
    keys = {"ring-ref": ["101", "511", "512", "4294967295", "-1", "x",
                         "99999999999999999999"],
            "event-channel": ["0", "1", "2", "4095", "4096", "4294967295"],
            "protocol": ["x86_32", "x"],
            "multi-queue-num-queues": ["0", "2"],
            "feature-persistent": ["x"]}
    with disk() as options:
        for key, values in keys.items():
            for value in values:
                result = lie("connect-wrongly", f"{key}={value}", "0",
                             options=options)
                lines = result.report.splitlines()
                assert 1 <= len(lines) <= 10, result
                assert all(f"xvda: the guest's {key} cannot" in line
                           for line in lines), result
                assert "works: 1\n" in result.console, result
        for order in ("1", "5", "31", "4294967295", "x"):
            result = lie("connect-wrongly", f"ring-page-order={order}", "0",
                         options=options)
            assert "works: 1\n" in result.console, result
        for key in ("state=7", "state=99", "state=-1", "state=x",
                    "feature-persistent=2", "virtual-device=1",
                    "backend-id=7"):
            result = silent("connect-wrongly", key, "0", options=options)
            assert "works: 1\n" in result.console, result
        for key in ("backend=/local/domain/0", "backend=x"):
            silent("connect-wrongly", key, "0", options=options)


def states_in_any_order_are_followed():
    with disk() as options:
        for states in ("0123456789", "64613", "14", "343434156", "6", "0"):
            silent("states", states, "100", options=options)


def what_is_pulled_from_under_a_disk_is_missed_by_the_guest_alone():
    for what in ("port", "grant", "keys", "page"):
        with disk() as options:
            silent("pull", what, "0", options=options)
            silent("pull", what, "0", options=[*options, "--scatter-p2m"])


if __name__ == "__main__":
    sys.exit(tap.main([
        what_the_host_counts_cannot_be_changed,
        an_output_ring_that_lies_is_let_go,
        an_input_ring_that_lies_is_let_go,
        a_store_ring_that_lies_is_let_go,
        the_other_words_of_the_store_page_are_harmless,
        messages_of_any_kind_are_survived,
        the_store_has_limits,
        what_is_others_in_the_store_cannot_be_written,
        ports_of_others_are_shut,
        a_guest_may_close_its_own_ports,
        grants_of_others_cannot_be_taken,
        wrong_requests_are_answered_and_cost_nothing,
        a_disk_ring_that_lies_is_let_go_and_can_be_had_again,
        wrong_keys_are_named_and_can_be_mended,
        states_in_any_order_are_followed,
        what_is_pulled_from_under_a_disk_is_missed_by_the_guest_alone,
    ]))
