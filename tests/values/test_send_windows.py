"""Send windows: the built-in ones, a tenant's lines, public holidays."""

from __future__ import annotations

from datetime import date

import pytest
from dateutil.easter import easter

from notifier.errors import InvalidInput
from notifier.values.send_windows import EVERY, is_holiday, read_windows


def shown(text: str, channel: str = "sms") -> dict[str, str]:
    windows = read_windows(text).get(channel, {})
    return {country: window.describe() if window else "off" for country, window in windows.items()}


def test_no_marketing_sms_leaves_at_night() -> None:
    windows = shown("")
    assert windows[EVERY] == windows["US"] == "Mon-Sun 08:00-21:00"
    assert windows["FR"] == "Mon-Sat 08:00-22:00, not on public holidays"
    assert windows["IN"] == "Mon-Sun 10:00-21:00"
    assert set(read_windows("")) == {"sms"}


def test_a_line_replaces_the_built_in_window_of_its_country() -> None:
    windows = shown("sms de mon-fri 09:00-20:00\nsms DE sat 10:00-18:00\nsms US off\nsms FR 10:00-20:00")
    assert windows["DE"] == "Mon-Fri 09:00-20:00, Sat 10:00-18:00"
    assert windows["US"] == "off"
    assert windows["FR"] == "Mon-Sun 10:00-20:00, not on public holidays"
    assert windows[EVERY] == "Mon-Sun 08:00-21:00"


@pytest.mark.parametrize("text", ["built-in off", "  built-in   off  \n\n"])
def test_the_built_in_windows_can_be_removed(text: str) -> None:
    assert read_windows(text) == {}
    assert shown(f"{text}\nsms DE 09:00-24:00") == {EVERY: "off", "DE": "Mon-Sun 09:00-24:00"}


def test_another_channel_has_windows_only_by_a_line() -> None:
    assert shown("push * 09:00-21:00", "push") == {EVERY: "Mon-Sun 09:00-21:00"}
    assert shown("email AT 09:00-21:00", "email") == {EVERY: "off", "AT": "Mon-Sun 09:00-21:00"}


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("sms", 1),
        ("sms DE", 1),
        ("sms DEU 09:00-20:00", 1),
        ("sms US off\nsms DE 20:00-09:00", 2),
        ("sms DE 09:00-09:00", 1),
        ("sms DE 09:60-20:00", 1),
        ("sms DE 09:00-24:01", 1),
        ("sms DE someday 09:00-20:00", 1),
        ("sms DE sat-mon 09:00-20:00", 1),
        ("sms DE mon-fri 09:00-20:00\nsms DE fri 10:00-18:00", 2),
        ("sms DE off\nsms DE 09:00-20:00", 2),
        ("sms DE 09:00-20:00\nsms DE off", 2),
        ("sms ٠٩ 09:00-20:00", 1),
        ("sms DE ٠٩:00-20:00", 1),
    ],
)
def test_a_wrong_line_is_named(text: str, line: int) -> None:
    with pytest.raises(InvalidInput, match=f"Line {line} ") as wrong:
        read_windows(text)
    assert wrong.value.field == "send_windows"


def test_french_holidays_follow_easter_as_dateutil_computes_it() -> None:
    for year in range(2000, 2100):
        days = [day for n in range(366) if (day := date.fromordinal(date(year, 1, 1).toordinal() + n)).year == year]
        holidays = {day for day in days if is_holiday("FR", day)}
        moving = {date.fromordinal(easter(year).toordinal() + n) for n in (1, 39, 50)}
        assert moving <= holidays and len(holidays) in (10, 11)
    assert is_holiday("FR", date(2026, 7, 14)) and not is_holiday("FR", date(2026, 7, 15))
