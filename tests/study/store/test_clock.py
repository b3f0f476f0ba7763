import time

from study.store.clock import Clock, same_boot, seconds_of, timestamp


def test_a_timestamp_is_utc_text_with_milliseconds_that_sorts_by_time() -> None:
    assert timestamp(0.0) == "1970-01-01T00:00:00.000Z"
    assert timestamp(1_740_830_400.25) == "2025-03-01T12:00:00.250Z"
    assert seconds_of(timestamp(1_740_830_400.25)) == 1_740_830_400.25
    assert timestamp(9.999) < timestamp(10.0)


def test_ticks_go_forward_and_the_boot_stays() -> None:
    clock = Clock()
    first = clock.now()
    time.sleep(0.01)
    second = clock.now()
    assert 0.009 < second.ticks - first.ticks < 5
    assert same_boot(first.boot, second.boot)
    assert abs(seconds_of(first.utc) - time.time()) < 5


def test_an_estimated_boot_is_the_same_within_two_minutes() -> None:
    assert same_boot("started about 1000", "started about 1100")
    assert not same_boot("started about 1000", "started about 4600")
    assert not same_boot("started about 1000", "0b1f")
    assert same_boot("0b1f", "0b1f")
