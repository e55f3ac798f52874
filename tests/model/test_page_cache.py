"""The host's page cache."""

from dcsim.host import PageCache

PAGE = 4096


def test_a_page_that_was_read_is_there() -> None:
    cache = PageCache(10 * PAGE)
    assert cache.read("a", 0, 2 * PAGE) == (2, 2, 0)
    assert cache.read("a", 8, PAGE) == (1, 0, 0)
    assert cache.read("b", 8, PAGE) == (1, 1, 0)
    assert cache.counts.as_dict() == {"hit": 1, "miss": 3}


def test_a_whole_page_is_written_without_reading_it() -> None:
    cache = PageCache(10 * PAGE)
    assert cache.write("a", 0, PAGE) == (1, 0, 0)
    assert cache.clean("a") == 1


def test_a_part_of_a_page_is_read_first() -> None:
    cache = PageCache(10 * PAGE)
    assert cache.write("a", 1, 512) == (1, 1, 0)
    assert cache.write("a", 2, 512) == (1, 0, 0)


def test_an_access_that_is_not_aligned_touches_both_pages() -> None:
    assert PageCache(10 * PAGE).read("a", 7, 1024).pages == 2


def test_the_least_recently_used_page_leaves_and_is_written_when_dirty() -> None:
    cache = PageCache(2 * PAGE)
    cache.write("a", 0, PAGE)
    cache.read("a", 8, PAGE)
    assert cache.read("a", 16, PAGE).written_back == 1
    assert cache.read("a", 24, PAGE).written_back == 0


def test_cleaning_counts_what_was_dirty_once() -> None:
    cache = PageCache(10 * PAGE)
    cache.write("a", 0, 3 * PAGE)
    cache.write("b", 0, PAGE)
    assert cache.clean("a") == 3
    assert cache.clean("a") == 0
    assert cache.clean("b") == 1
    cache.drop("a")
    assert cache.read("a", 0, PAGE).missing == 1
