#!/usr/bin/env python3
"""A program outside of this tree builds and runs by what docs/guest.md says:
the template, and an image without a C library."""
import os
import shutil
import subprocess
import sys
import tempfile

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "harness"))
import guest  # noqa: E402
import tap  # noqa: E402

ROOT = os.path.join(HERE, "..", "..")
BUILD = os.path.abspath(guest.BUILD)


def sh(command, folder):
    done = subprocess.run(["sh", "-ec", command], cwd=folder, text=True,
                          capture_output=True, check=False)
    assert done.returncode == 0, done
    assert done.stderr == "", done
    return done.stdout


def build(program, folder, package="paravane-guest"):
    """The image of a C source in (folder), by the recipe of the README."""
    with open(os.path.join(folder, "own.c"), "w") as source:
        source.write(program)
    sh(f"PKG_CONFIG_PATH={BUILD}; export PKG_CONFIG_PATH\n"
       f"cc -o own.elf own.c $(pkg-config --cflags --libs {package})",
       folder)
    return os.path.join(folder, "own.elf")


def a_copy_of_the_template_builds_and_runs():
    with tempfile.TemporaryDirectory() as folder:
        copy = os.path.join(folder, "mine")
        shutil.copytree(os.path.join(ROOT, "examples", "template"), copy)
        out = sh(f"make -s BUILD={BUILD} run", copy)
        assert out == "Hello from a unikernel of my own.\n", out


def an_image_without_a_C_library_builds_and_runs():
    source = os.path.join(ROOT, "tests", "guests", "freestanding.c")
    with tempfile.TemporaryDirectory() as folder:
        sh(f"PKG_CONFIG_PATH={BUILD}; export PKG_CONFIG_PATH\n"
           f"cc -O2 -o own.elf {os.path.abspath(source)} "
           "$(pkg-config --cflags --libs paravane-freestanding)", folder)
        result = guest.run(guest=os.path.join(folder, "own.elf"))
        assert result.status == 0, result
        assert result.console.endswith("verdict: success\n"), result


def the_low_byte_of_mains_result_is_the_exit_status():
    with tempfile.TemporaryDirectory() as folder:
        image = build("int main(int argc, char **argv)"
                      "{ return argc == 1 ? -1 : 300; }", folder)
        assert guest.run(guest=image).status == 255
        assert guest.run(guest=image, args=["x"]).status == 300 % 256


def a_backtrace_names_callers_of_what_never_returns():
    with tempfile.TemporaryDirectory() as folder:
        image = build("#include <stdlib.h>\nint main(void) { abort(); }",
                      folder)
        result = guest.run(guest=image)
        assert result.status == 125, result
        assert " main+0x" in result.report, result


def a_program_with_sockets_builds_and_runs():
    with tempfile.TemporaryDirectory() as folder:
        image = build("""
            #include <arpa/inet.h>
            #include <stdio.h>
            #include <string.h>
            #include <sys/socket.h>
            #include <unistd.h>
            int main(void)
            {
                struct sockaddr_in to = {.sin_family = AF_INET,
                                         .sin_port = htons(7)};
                char text[16] = "";
                int a = socket(AF_INET, SOCK_DGRAM, 0);
                int b = socket(AF_INET, SOCK_DGRAM, 0);

                inet_pton(AF_INET, "127.0.0.1", &to.sin_addr);
                bind(a, (struct sockaddr *)&to, sizeof to);
                sendto(b, "over the loop", 13, 0, (struct sockaddr *)&to,
                       sizeof to);
                read(a, text, sizeof text - 1);
                puts(text);
                return strcmp(text, "over the loop") != 0;
            }""", folder, "paravane-ip")
        result = guest.run(guest=image)
        assert result.status == 0, result
        assert result.console == "over the loop\n", result


if __name__ == "__main__":
    sys.exit(tap.main([a_copy_of_the_template_builds_and_runs,
                       an_image_without_a_C_library_builds_and_runs,
                       the_low_byte_of_mains_result_is_the_exit_status,
                       a_backtrace_names_callers_of_what_never_returns,
                       a_program_with_sockets_builds_and_runs]))
