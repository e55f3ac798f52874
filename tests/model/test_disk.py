"""Disks: first in, first out, with latency and bandwidth."""

from fractions import Fraction

from dcsim.host import Disk, transfer_ns
from dcsim.sim import Environment, Streams


def test_bytes_take_their_time_rounded_up() -> None:
    assert transfer_ns(1_000, 8_000) == 10**9
    assert transfer_ns(1, 3 * 8) == 333_333_334
    assert transfer_ns(0, 8) == 0


def test_a_request_takes_latency_and_transfer() -> None:
    environment = Environment()
    disk = Disk(environment, latency_ns=80_000, bits_per_second=4_000_000_000)
    done: list[int] = []
    disk.submit(4096, write=False, done=lambda: done.append(environment.now), reach=None)
    environment.run()
    assert done == [80_000 + 8_192]


def test_the_second_waits_for_the_first() -> None:
    environment = Environment()
    disk = Disk(environment, latency_ns=100, bits_per_second=8 * 10**9)
    done: list[int] = []
    for size in (50, 10):
        disk.submit(size, write=True, done=lambda: done.append(environment.now), reach=None)
    environment.run()
    assert done == [150, 260]
    assert disk.waits_ns.quantile(1, 1) == 150
    assert disk.moved.as_dict() == {"write": 2, "write_bytes": 60}
    # Two events and the end of neither: a request is one event.
    assert environment.scheduled == 2


def test_the_mean_wait_is_that_of_an_m_d_1_queue() -> None:
    """Poisson arrivals at half load, constant service: the wait is rho / (2 (1 - rho)) services."""
    environment = Environment()
    service_ns = 10_000
    disk = Disk(environment, latency_ns=service_ns, bits_per_second=8 * 10**9)
    stream = Streams(11).stream("arrivals")
    arrivals = 20_000

    def arrive() -> None:
        disk.submit(0, write=False, done=lambda: None, reach=None)
        if disk.waits_ns.count < arrivals:
            environment.after(stream.exponential(2 * service_ns), arrive)

    arrive()
    environment.run()
    expected = Fraction(service_ns, 2)
    assert abs(disk.waits_ns.mean() - expected) < expected / 20
    # Little's law holds exactly for the time that requests spend in the disk.
    spent_ns = disk.waits_ns.total + arrivals * service_ns
    assert disk.queue.integral(environment.now) == spent_ns
