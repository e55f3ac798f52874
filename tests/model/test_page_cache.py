"""The host's page cache."""

from dcsim.host import PageCache

PAGE = 4096


def test_a_page_that_was_read_is_there() -> None:
    cache = PageCache(10 * PAGE)
    assert not cache.use("a", 0)
    assert not cache.use("a", 1)
    assert cache.use("a", 1)
    assert not cache.use("b", 1)
    assert cache.counts.as_dict() == {"hit": 1, "miss": 3}


def test_the_least_recently_used_page_leaves_and_is_written_when_dirty() -> None:
    cache = PageCache(2 * PAGE)
    cache.use("a", 0, dirty=True)
    cache.use("a", 1)
    assert cache.take_evicted() == []
    cache.use("a", 2)
    assert cache.take_evicted() == [("a", 0)]
    cache.use("a", 3)
    assert cache.take_evicted() == []


def test_a_page_that_is_used_again_stays() -> None:
    cache = PageCache(2 * PAGE)
    cache.use("a", 0)
    cache.use("a", 1)
    cache.use("a", 0)
    cache.use("a", 2)
    assert cache.use("a", 0)
    assert not cache.use("a", 1)


def test_cleaning_names_what_was_dirty_once() -> None:
    cache = PageCache(10 * PAGE)
    for page in (2, 0, 1):
        cache.use("a", page, dirty=True)
    cache.use("b", 0, dirty=True)
    cache.use("a", 0)
    assert cache.clean("a") == [0, 1, 2]
    assert cache.clean("a") == []
    assert cache.clean("b") == [0]
    cache.drop("a")
    assert not cache.use("a", 1)


def test_a_page_that_is_forgotten_is_not_written() -> None:
    cache = PageCache(10 * PAGE)
    cache.use("a", 0, dirty=True)
    cache.forget("a", 0)
    assert cache.clean("a") == []
