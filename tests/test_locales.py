"""Tables of what counts as a locale, a time zone and a time stamp, wherever one is typed."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from notifier.errors import InvalidInput
from notifier.values import locales, timestamps, zones


@pytest.mark.parametrize(
    ("written", "stored"),
    [
        ("de", "de"),
        ("DE", "de"),
        ("pt_BR", "pt-BR"),
        ("pt-br", "pt-BR"),
        ("en_us", "en-US"),
        ("zh-hans-cn", "zh-Hans-CN"),
        ("ZH_HANT", "zh-Hant"),
        ("es-419", "es-419"),
        ("sl-ROZAJ", "sl-rozaj"),
        ("de-1996", "de-1996"),
        ("yue_HK", "yue-HK"),
        ("tlh", "tlh"),
    ],
)
def test_a_locale_has_one_spelling(written: str, stored: str) -> None:
    assert locales.canonical(written) == stored
    assert locales.canonical(stored) == stored


@pytest.mark.parametrize(
    "written",
    ["", "klingon", "de at", "xx", "qqq", "english", "de-", "-de", "de--AT", "de_AT.UTF-8", "de-AT-AT", "d", "ⅾe",
     "deu\n", "zh-Hant-TW-longest1", "i-klingon", "x-ours", "en-u-hc-h12", "und", "ſr"],
)  # fmt: skip
def test_what_is_no_locale_is_refused_with_the_field(written: str) -> None:
    with pytest.raises(InvalidInput, match="is no locale") as refused:
        locales.canonical(written, "content.push.x")
    assert refused.value.field == "content.push.x"


@pytest.mark.parametrize("written", ["Europe/Vienna", "europe/vienna", "EUROPE/VIENNA"])
def test_a_zone_has_one_spelling(written: str) -> None:
    assert zones.canonical(written) == "Europe/Vienna"


@pytest.mark.parametrize(
    "written",
    ["", "localtime", "Factory", "posixrules", "right/UTC", "posix/Europe/Vienna", "Vienna", "../UTC", "+01:00"],
)
def test_what_is_no_place_is_no_zone(written: str) -> None:
    with pytest.raises(InvalidInput, match="no IANA time zone"):
        zones.canonical(written)


@pytest.mark.parametrize(
    "written",
    ["2030-01-31T09:00:00Z", "2030-01-31T09:00:00z", "2030-01-31 09:00:00z", "2030-01-31t09:00:00.000z",
     "2030-01-31 10:00:00+01:00"],
)  # fmt: skip
def test_a_time_stamp_is_read_however_rfc_3339_lets_it_be_written(written: str) -> None:
    assert timestamps.parse(written) == datetime(2030, 1, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize("written", ["", "z", "tomorrow", "2030-13-01T00:00:00Z", "2030-01-31T09:00:00zz", 7, None])
def test_what_is_no_time_stamp_is_none(written: object) -> None:
    assert timestamps.parse(written) is None
