"""Runs of images for networks where there is none: they say so, and go."""
from cases import Case


def _says_so(status):
    def check(_, result, __):
        assert result.status == status, result
        assert "there is no network device" in result.console, result
    return check


CASES = [
    Case("echo", "without a network", _says_so(1)),
    Case("httpd", "without a network", _says_so(1)),
    Case("frames", "without a network", _says_so(2)),
    Case("ping", "without a network", _says_so(1), args=["10.0.0.1"]),
]
