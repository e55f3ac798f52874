"""What is kept of a guest's console."""

from dcsim.hypervisor.console import ConsoleLog


def test_all_of_a_little_output_is_kept() -> None:
    log = ConsoleLog(limit_bytes=8)
    log.append(b"one ")
    log.append(b"two")
    assert (bytes(log), log.written_bytes) == (b"one two", 7)


def test_of_very_much_output_the_newest_is_kept_and_all_is_counted() -> None:
    log = ConsoleLog(limit_bytes=4)
    for number in range(1000):
        log.append(b"%04d" % number)
    assert bytes(log) == b"[3996 bytes before this are not kept]\n0999"
    assert log.written_bytes == 4000
    assert len(log._kept) <= 8
