"""The text of an SMS: plain characters, transliteration, and segments."""

from __future__ import annotations

import pytest

from notifier.channels import channel
from notifier.delivery.content import templates
from notifier.delivery.content.partly_rendered import Locale
from notifier.errors import InvalidInput
from notifier.values.sms_text import count_segments, plain, split, transliterate
from notifier.vocabulary.content import TenantRules
from tenants.models import Tenant

PIECE = ("a", "€", "ş", "😀", "[")


@pytest.mark.parametrize(
    ("text", "segments", "encoding", "units"),
    [
        ("", 1, "GSM-7", 0),
        ("a" * 160, 1, "GSM-7", 160),
        ("a" * 161, 2, "GSM-7", 161),
        ("a" * 306, 2, "GSM-7", 306),
        ("a" * 307, 3, "GSM-7", 307),
        ("€" * 80, 1, "GSM-7", 160),
        ("€" * 81, 2, "GSM-7", 162),
        ("à Ç Ñ Ω \n @ _ £ ¥", 1, "GSM-7", 17),
        ("ş" * 70, 1, "UCS-2", 70),
        ("ş" * 71, 2, "UCS-2", 71),
        ("ş" * 134, 2, "UCS-2", 134),
        ("ş" * 135, 3, "UCS-2", 135),
        ("😀" * 35, 1, "UCS-2", 70),
        ("`", 1, "UCS-2", 1),
    ],
)
def test_segments_are_counted_in_the_alphabet_of_the_whole_text(
    text: str, segments: int, encoding: str, units: int
) -> None:
    assert count_segments(text) == (segments, encoding, units)


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        # the escape pair would begin at septet 153: the segment ends before it
        ("a" * 152 + "€" + "b" * 20, ["a" * 152, "€" + "b" * 20]),
        ("ş" + "a" * 65 + "😀" + "b" * 20, ["ş" + "a" * 65, "😀" + "b" * 20]),
    ],
)
def test_no_segment_splits_an_escape_pair_or_a_surrogate_pair(text: str, parts: list[str]) -> None:
    assert split(text) == parts


@pytest.mark.parametrize("start", range(6))
@pytest.mark.parametrize("piece", PIECE)
def test_the_count_is_that_of_the_split_text(piece: str, start: int) -> None:
    for size in range(1, 400, 7):
        text = "a" * start + (piece + "b") * size
        parts = split(text)
        assert "".join(parts) == text
        assert len(parts) == count_segments(text).number


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("10\u202f000\u00a0€", "10 000 €"),
        ("l’été – “oui”…", 'l\'été - "oui"...'),
        ("a\u200bb\u00adc\r\nd\te", "abc\nd e"),
        ("plain as it is", "plain as it is"),
        ("👨\u200d👩\u200d👧", "👨\u200d👩\u200d👧"),  # the joiner makes one picture of three
    ],
)
def test_odd_spaces_quotes_and_dashes_become_plain(text: str, expected: str) -> None:
    assert plain(text) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Şişli ğ ı İ", "Sisli g i I"),
        ("Łódź, çay, Đà Nẵng", "Lodz, cay, Dà Nang"),
        ("Grüße, señor", "Grüße, señor"),
        ("привет, Şişli", "привет, Şişli"),  # it stays UCS-2 either way
    ],
)
def test_letters_are_transliterated_where_that_makes_the_whole_text_gsm7(text: str, expected: str) -> None:
    assert transliterate(text) == expected


def a_tenant(**values: object) -> Tenant:
    return Tenant(default_locale="en", **values)


def test_a_text_of_too_many_segments_is_refused_when_it_is_published() -> None:
    content = {"sms": {"en": {"text": "a" * 306}}}
    templates.prepare(content, a_tenant(sms_segments=2))
    with pytest.raises(InvalidInput, match="2 SMS segments") as refused:
        templates.prepare(content, a_tenant(sms_segments=1))
    assert (refused.value.field, refused.value.code) == ("content.sms.en.text", "too_long")
    for text in ("a" * 161 + "{{ x }}", "{{ x | upcase }}" + "a" * 161):
        with pytest.raises(InvalidInput):
            templates.prepare({"sms": {"en": {"text": text}}}, a_tenant(sms_segments=1))
    only_perhaps = "{% if x %}" + "a" * 161 + "{% endif %}"
    templates.prepare({"sms": {"en": {"text": only_perhaps}}}, a_tenant(sms_segments=1))


def test_a_text_that_only_its_variables_make_too_long_is_refused_for_that_message() -> None:
    compiled = templates.Compiled({"sms": {"en": {"text": "Hi {{ recipient.name }}, {{ what }}"}}})
    rules, content = TenantRules(sms_segments=1), Locale("sms", "en")
    partly = compiled.render_partly(content, {"what": "bye"}, rules)
    assert partly.render({"recipient": {"name": "Ann"}, "what": "bye"}) == ("Hi Ann, bye",)
    for variables in ({"recipient": {"name": "A" * 200}, "what": "bye"},):
        with pytest.raises(InvalidInput):
            partly.render(variables)
        with pytest.raises(InvalidInput):
            compiled.render(content, variables, rules)


def test_the_stored_text_is_the_text_that_is_counted_and_sent() -> None:
    compiled, content = templates.Compiled({"sms": {"en": {"text": "{{ a }}\u202f{{ a }}"}}}), ("sms", "en")
    rules = TenantRules(sms_transliterate=True)
    assert compiled.render(Locale(*content), {"a": "ş…"}, rules) == {"text": "s... s..."}
    assert channel("sms").segments({"text": "s... s..."}) == 1


@pytest.mark.parametrize("typed", ["0151 2345", "+49", "ann@example.com", "+49 151 23456789"])
def test_a_typed_number_without_a_country_or_with_blanks_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput):
        channel("sms").check_address(typed, lambda _: True)
