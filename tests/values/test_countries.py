"""The country of a number, compared with the library phonenumbers, and of a locale."""

from __future__ import annotations

import phonenumbers
import pytest

from notifier.values.countries import country_of_locale, country_of_phone

EXAMPLES = [
    (region, phonenumbers.format_number(number, phonenumbers.PhoneNumberFormat.E164))
    for region in sorted(phonenumbers.SUPPORTED_REGIONS)
    if (number := phonenumbers.example_number_for_type(region, phonenumbers.PhoneNumberType.MOBILE)) is not None
]
#: countries that share a prefix so far that their numbers cannot be told by it: the country that the table says
SHARED = {"AX": "FI", "BL": "GP", "MF": "GP", "CC": "AU", "CX": "AU", "EH": "MA", "SJ": "NO", "TA": "SH", "VA": "IT"}


def test_a_mobile_number_of_each_country_has_the_country_that_phonenumbers_says() -> None:
    wrong = {
        (region, number): country_of_phone(number)
        for region, number in EXAMPLES
        if country_of_phone(number) != SHARED.get(region, region)
    }
    assert not wrong
    assert len(EXAMPLES) > 230


@pytest.mark.parametrize(
    ("phone", "country"),
    [("+14165550123", "CA"), ("+12125550123", "US"), ("+77011234567", "KZ"), ("+79161234567", "RU"), ("", "")],
)
def test_a_shared_prefix_is_told_by_the_digits_after_it(phone: str, country: str) -> None:
    assert country_of_phone(phone) == country


@pytest.mark.parametrize(
    ("locale", "country"), [("de-AT", "AT"), ("zh-Hant-TW", "TW"), ("de", ""), ("", ""), ("es-419", "")]
)
def test_a_locale_names_the_country_of_its_region(locale: str, country: str) -> None:
    assert country_of_locale(locale) == country
