"""What PostgreSQL can store as text, asked of PostgreSQL."""

from __future__ import annotations

import pytest
from django.db import DataError, connection

from notifier.errors import InvalidInput
from notifier.values.text import check_storable, cleaned, escaped, fault_of, is_storable

STORABLE = ["", "plain", "Grüße 🎉", "\x01\x1f\x7f\ufffe", "\U0010ffff"]
UNSTORABLE = [
    ("a\0b", "null_character", "ab", "a\\u0000b"),
    ("a\ud83d", "lone_surrogate", "a", "a\\ud83d"),
    ("\udfffü\0", "null_character", "ü", "\\udfffü\\u0000"),
]


@pytest.mark.django_db
@pytest.mark.parametrize("text", STORABLE)
def test_a_storable_text_comes_back_from_the_database_as_it_was(text: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute("SELECT %s::text, to_jsonb(%s::text) #>> '{}'", [text, text])
        assert cursor.fetchone() == (text, text)
    assert is_storable(text)
    assert cleaned(text) == escaped(text) == text
    check_storable(text, "name")


@pytest.mark.parametrize(("text", "code", "clean", "shown"), UNSTORABLE)
def test_an_unstorable_text_is_named_cleaned_and_shown(text: str, code: str, clean: str, shown: str) -> None:
    fault = fault_of(text)
    assert fault is not None
    assert fault.code == code
    assert (is_storable(text), cleaned(text), escaped(text)) == (False, clean, shown)
    with pytest.raises(InvalidInput) as refused:
        check_storable(text, "name")
    assert (refused.value.field, refused.value.code) == ("name", code)


@pytest.mark.django_db
@pytest.mark.parametrize("text", [row[0] for row in UNSTORABLE])
def test_what_is_called_unstorable_does_not_reach_the_database(text: str) -> None:
    with connection.cursor() as cursor, pytest.raises((DataError, UnicodeEncodeError)):
        cursor.execute("SELECT %s::text", [text])
