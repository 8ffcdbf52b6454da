import builtins
import io
import os

import pytest

from swcm_fairseq import processors


def cpuinfo(monkeypatch, text):
    """Make /proc/cpuinfo hold ``text``; None: there is no such file."""
    real = open

    def opened(path, *args, **kwargs):
        if path != "/proc/cpuinfo":
            return real(path, *args, **kwargs)
        if text is None:
            raise FileNotFoundError(path)
        return io.StringIO(text)

    monkeypatch.setattr(builtins, "open", opened)
    processors._cpuinfo.cache_clear()
    monkeypatch.setattr(processors.platform, "machine", lambda: "x86_64")


@pytest.fixture(autouse=True)
def asked_anew():
    yield
    processors._cpuinfo.cache_clear()


def of_x86(vendor, flags):
    one = f"processor\t: 0\nvendor_id\t: {vendor}\nmodel name\t: X\nflags\t\t: fpu {flags} sse\nbugs\t\t:\n\n"
    return one + one.replace(vendor, "other").replace(flags, "none")


@pytest.mark.parametrize(
    "text, amd, overflow",
    [
        (of_x86("AuthenticAMD", "avx2 avx512_vnni"), True, False),
        (of_x86("AuthenticAMD", "avx2"), True, True),
        (of_x86("GenuineIntel", "avx2 avx_vnni"), False, False),
        (of_x86("GenuineIntel", "avx2 avx512f"), False, True),
        ("", False, True),
        (None, False, True),
    ],
)
def test_what_the_first_processor_says(monkeypatch, text, amd, overflow):
    cpuinfo(monkeypatch, text)
    assert (processors.made_by_amd(), processors.products_of_8_bits_overflow()) == (amd, overflow)


def test_other_processors_than_x86_do_not_overflow(monkeypatch):
    cpuinfo(monkeypatch, "Processor\t: ARMv8\nFeatures\t: asimd\n")
    monkeypatch.setattr(processors.platform, "machine", lambda: "aarch64")
    assert not processors.made_by_amd() and not processors.products_of_8_bits_overflow()


def test_those_that_may_be_used_are_counted(monkeypatch):
    monkeypatch.setattr(os, "sched_getaffinity", lambda pid: {1, 5, 7}, raising=False)
    assert processors.usable_processors() == 3
    monkeypatch.delattr(os, "sched_getaffinity")
    monkeypatch.setattr(os, "cpu_count", lambda: None)
    assert processors.usable_processors() == 1
