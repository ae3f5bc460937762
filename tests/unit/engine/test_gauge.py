"""How busy this machine is, as its system tells it."""

import time

import pytest

from fanwise.engine import gauge
from fanwise.engine.gauge import Gauge


class Clocks:
    """The two clocks that the gauge reads, set by hand."""

    def __init__(self):
        self.now = 100.0
        self.cpu = 5.0

    def monotonic(self):
        return self.now

    def process_time(self):
        return self.cpu

    def pass_s(self, seconds, *, cpu_s=0.0):
        self.now += seconds
        self.cpu += cpu_s


@pytest.fixture
def clocks(monkeypatch):
    found = Clocks()
    monkeypatch.setattr(gauge, "time", found)
    return found


@pytest.fixture
def memory(monkeypatch, tmp_path):
    """The file that tells of memory; what is written to it is what the gauge reads."""
    path = tmp_path / "meminfo"
    monkeypatch.setattr(gauge, "_MEMORY", path)
    return path


@pytest.fixture
def open_files(monkeypatch, tmp_path):
    path = tmp_path / "fd"
    path.mkdir()
    monkeypatch.setattr(gauge, "_OPEN_FILES", path)
    return path


def test_the_processors_share_is_that_since_the_last_look(clocks):
    one = Gauge()
    clocks.pass_s(0.2, cpu_s=0.1)
    assert one.read(lag_s=0.0).cpu == pytest.approx(0.5)
    clocks.pass_s(0.1, cpu_s=0.1)
    assert one.read(lag_s=0.0).cpu == pytest.approx(1.0)
    clocks.pass_s(0.1)
    assert one.read(lag_s=0.0).cpu == 0.0


def test_the_lag_is_passed_on_and_two_looks_at_one_instant_divide_by_nothing(clocks):
    load = Gauge().read(lag_s=0.25)
    assert (load.lag_s, load.cpu) == (0.25, 0.0)


def test_memory_in_use_is_what_is_not_available(clocks, memory):
    memory.write_text("MemTotal: 1000 kB\nMemFree: 10 kB\nMemAvailable: 300 kB\n")
    assert Gauge().read(lag_s=0.0).memory == pytest.approx(0.7)


@pytest.mark.parametrize("text", [None, "", "MemTotal: 1000 kB", "MemTotal: 0 kB\nMemAvailable: 0"])
def test_memory_of_which_the_system_says_nothing_counts_as_free(clocks, memory, text):
    if text is not None:
        memory.write_text(text)
    assert Gauge().read(lag_s=0.0).memory == 0.0


def test_open_files_are_a_share_of_those_allowed(clocks, open_files):
    resource = pytest.importorskip("resource")
    allowed = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    for number in range(10):
        (open_files / str(number)).touch()
    assert Gauge().read(lag_s=0.0).descriptors == pytest.approx(10 / allowed)


def test_open_files_of_which_the_system_says_nothing_count_as_none(clocks, monkeypatch, tmp_path):
    monkeypatch.setattr(gauge, "_OPEN_FILES", tmp_path / "missing")
    assert Gauge().read(lag_s=0.0).descriptors == 0.0


def test_memory_is_read_once_a_second_and_no_more_often(clocks, memory):
    one = Gauge()
    memory.write_text("MemTotal: 100 kB\nMemAvailable: 50 kB\n")
    assert one.read(lag_s=0.0).memory == pytest.approx(0.5)
    memory.write_text("MemTotal: 100 kB\nMemAvailable: 10 kB\n")
    clocks.pass_s(0.9)
    assert one.read(lag_s=0.0).memory == pytest.approx(0.5)
    clocks.pass_s(0.2)
    assert one.read(lag_s=0.0).memory == pytest.approx(0.9)


def test_this_system_is_read_as_shares():
    one = Gauge()
    began = time.process_time()
    while time.process_time() - began < 0.01:
        pass
    load = one.read(lag_s=0.0)
    assert load.cpu > 0
    assert 0 <= load.memory <= 1
    assert 0 <= load.descriptors <= 1
