from random import Random

from simulator.links import CALM, Links, Weather


def arrivals(weather: Weather, count: int = 2_000) -> list[list[int]]:
    links = Links(Random(1))
    links.weather = weather
    return [links.arrivals(10 * number, "a", "b") for number in range(count)]


def test_calm_delivers_each_once_and_in_order() -> None:
    times = arrivals(CALM)
    assert all(len(one) == 1 for one in times)
    assert times == sorted(times)
    assert all(1 <= one[0] - 10 * number <= 5 for number, one in enumerate(times))


def test_loss_loses_its_share() -> None:
    lost = [one for one in arrivals(Weather(loss=0.3)) if not one]
    assert 500 < len(lost) < 700


def test_duplicates_come_twice() -> None:
    doubled = [one for one in arrivals(Weather(duplicate=0.1)) if len(one) == 2]
    assert 150 < len(doubled) < 250


def test_order_is_kept_under_any_delay_unless_overtaking_is_asked_for() -> None:
    kept = arrivals(Weather(delay_ms_max=500))
    assert kept == sorted(kept)
    overtaken = arrivals(Weather(delay_ms_max=500, overtake=0.5))
    assert overtaken != sorted(overtaken)


def test_a_block_is_one_way_and_ends() -> None:
    links = Links(Random(1))
    links.block("a", "b")
    assert links.arrivals(0, "a", "b") == []
    assert len(links.arrivals(0, "b", "a")) == 1
    assert len(links.arrivals(0, "a", "c")) == 1
    links.clear()
    assert len(links.arrivals(0, "a", "b")) == 1
