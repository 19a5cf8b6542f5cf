"""Tables of what counts as a locale, a time zone and a time stamp."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from notifier.errors import InvalidInput
from notifier.values import locales, timestamps, zones


@pytest.mark.parametrize(
    ("text", "stored"),
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
def test_a_locale_has_one_spelling(text: str, stored: str) -> None:
    assert locales.canonical(text) == stored
    assert locales.canonical(stored) == stored


@pytest.mark.parametrize(
    "text",
    ["", "klingon", "de at", "xx", "qqq", "english", "de-", "-de", "de--AT", "de_AT.UTF-8", "de-AT-AT", "d", "ⅾe",
     "deu\n", "zh-Hant-TW-longest1", "i-klingon", "x-ours", "en-u-hc-h12", "und", "ſr"],
)  # fmt: skip
def test_a_malformed_locale_is_refused_with_the_field(text: str) -> None:
    with pytest.raises(InvalidInput, match="is no locale") as refused:
        locales.canonical(text, "content.push.x")
    assert refused.value.field == "content.push.x"


@pytest.mark.parametrize("text", ["Europe/Vienna", "europe/vienna", "EUROPE/VIENNA"])
def test_a_zone_has_one_spelling(text: str) -> None:
    assert zones.canonical(text) == "Europe/Vienna"


@pytest.mark.parametrize(
    "text",
    ["", "localtime", "Factory", "posixrules", "right/UTC", "posix/Europe/Vienna", "Vienna", "../UTC", "+01:00"],
)
def test_a_name_of_no_region_is_no_zone(text: str) -> None:
    with pytest.raises(InvalidInput, match="no IANA time zone"):
        zones.canonical(text)


@pytest.mark.parametrize(
    "text",
    ["2030-01-31T09:00:00Z", "2030-01-31T09:00:00z", "2030-01-31 09:00:00z", "2030-01-31t09:00:00.000z",
     "2030-01-31 10:00:00+01:00"],
)  # fmt: skip
def test_a_time_stamp_is_parsed_in_every_form_of_rfc_3339(text: str) -> None:
    assert timestamps.parse(text) == datetime(2030, 1, 31, 9, tzinfo=UTC)


@pytest.mark.parametrize("text", ["", "z", "tomorrow", "2030-13-01T00:00:00Z", "2030-01-31T09:00:00zz", 7, None])
def test_another_value_parses_as_none(text: object) -> None:
    assert timestamps.parse(text) is None
