"""What differs between two versions of a content."""

from __future__ import annotations

from typing import Any

import pytest

from notifier.admin.content.differences import MOST_PIECES, compare, differences

LINES = "".join(f"line {n}\n" for n in range(40))


@pytest.mark.parametrize(
    ("old", "new", "pieces"),
    [
        ("Your order left", "Your parcel left", [("same", "Your "), ("removed", "order"), ("added", "parcel"),
                                                 ("same", " left")]),
        ("", "new", [("added", "new")]),
        ("old", "", [("removed", "old")]),
        ("", "", []),
    ],
)  # fmt: skip
def test_short_texts_differ_by_words(old: str, new: str, pieces: Any) -> None:
    assert compare(old, new, by_lines=False) == pieces


def test_of_long_texts_only_the_lines_around_a_change_are_shown() -> None:
    pieces = compare(LINES, LINES.replace("line 20\n", "line twenty\n"), by_lines=True)
    assert [piece.kind for piece in pieces] == ["skipped", "same", "removed", "added", "same", "skipped"]
    assert pieces[1].text == "line 18\nline 19\n" and pieces[0].text == "18"


def test_a_text_of_very_many_pieces_is_shown_whole() -> None:
    old, new = "a b " * MOST_PIECES, "b a " * MOST_PIECES
    assert compare(old, new, by_lines=False) == [("removed", old), ("added", new)]


def test_differences_name_channel_locale_and_part() -> None:
    old = {"push": {"en": {"title": "a", "data": {"k": "1"}}}, "sms": {"en": {"text": "gone"}}}
    new = {"push": {"en": {"title": "b", "data": {"k": "1", "l": "2"}}, "de": {"title": "c"}}}
    assert [(each.channel, each.locale, each.part, each.kind) for each in differences(old, new)] == [
        ("push", "en", "title", "changed"),
        ("push", "en", "data.l", "added"),
        ("push", "de", "title", "added"),
        ("sms", "en", "text", "removed"),
    ]
    file = {"name": "a.pdf", "size": 3, "id": "f" * 64}
    (each,) = differences({}, {"email": {"en": {"attachments": [file, "odd"]}}})
    assert "a.pdf (3 bytes" in each.pieces[0].text
