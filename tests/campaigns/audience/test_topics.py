"""Topics of Firebase and conditions over them: a table of what Google takes, and of what it refuses."""

from __future__ import annotations

import pytest

from campaigns.audience.topics import MAX_LENGTH, address_of, check_topic, describe_topic
from notifier.errors import InvalidInput


@pytest.mark.parametrize(
    ("raw", "stored", "address"),
    [
        ("news", "news", "/topics/news"),
        ("/topics/news", "news", "/topics/news"),
        ("  A-z_0.9~%20 ", "A-z_0.9~%20", "/topics/A-z_0.9~%20"),
        ("n" * 900, "n" * 900, "/topics/" + "n" * 900),
        ("'news' in topics", "'news' in topics", "'news' in topics"),
        ("'a'in topics&&'b'  in\ttopics", "'a' in topics && 'b' in topics", None),
        ("'a' IN Topics", "'a' in topics", None),
        (
            "'news' in topics && ('de' in topics || 'at' in topics)",
            "'news' in topics && ('de' in topics || 'at' in topics)",
            None,
        ),
        ("!( 'a' in topics ) || 'b' in topics", "!('a' in topics) || 'b' in topics", None),
        ("(('a' in topics))", "(('a' in topics))", None),
        ("||".join(f"'{n}' in topics" for n in range(5)), " || ".join(f"'{n}' in topics" for n in range(5)), None),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_google_takes_becomes_an_address(raw: str, stored: str, address: str | None) -> None:
    assert check_topic(raw) == stored
    assert check_topic(stored) == stored
    assert address_of(stored) == (address or stored)


@pytest.mark.parametrize(
    ("raw", "position", "remedy"),
    [
        ("news de", "Position 5", "write a condition"),
        ("/topics/né", "Position 10", "letters of a to z"),
        ("'a' in topics & 'b' in topics", "Position 15 (&)", "write && for “and”"),
        ("'a' in topics | 'b' in topics", "Position 15 (|)", "write || for “or”"),
        ("'a' in topics and 'b' in topics", "Position 15 (and)", "write && for “and”"),
        ("not 'a' in topics", "Position 1 (not)", "for “not”"),
        ("'a' in topics, 'b' in topics", "Position 14 (,)", "join topics with"),
        ('"a" in topics', 'Position 1 (")', "single quotes"),
        ("'a in topics", "Position 1 (')", "closing single quote"),
        ("'a' in topics &&", "Position 17 (the end)", "a topic must stand here"),
        ("&& 'a' in topics", "Position 1 (&&)", "a topic must stand here"),
        ("'a' in topics 'b' in topics", "Position 15 ('b')", "&& or || must stand here"),
        ("'a' && 'b' in topics", "Position 5 (&&)", "“in topics” must follow a topic: 'a' in topics"),
        ("'a' in topic", "Position 8 (topic)", "“in topics” must follow"),
        ("('a' in topics", "Position 1 (()", "not closed"),
        ("'a' in topics)", "Position 14 ())", "no opening parenthesis"),
        ("()", "Position 2 ())", "a topic must stand here"),
        ("!'a' in topics", "Position 2 ('a')", "put what is negated in parentheses"),
        ("'' in topics", "Position 1 ('')", "is no topic"),
        ("'a b' in topics", "Position 1 ('a b')", "without blanks"),
        ("||".join(f"'{n}' in topics" for n in range(6)), "Position 76 ('5')", "may name 5 topics"),
        ("(" * 400 + "'a' in topics" + ")" * 400, "Position 11 (()", "leave some out"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_google_refuses_is_refused_with_position_and_remedy(raw: str, position: str, remedy: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        check_topic(raw)
    assert refused.value.field == "topic"
    assert refused.value.message.startswith(position) and remedy in refused.value.message


@pytest.mark.parametrize(
    ("raw", "why"),
    [
        ("", "Must be the name of a topic"),
        (None, "Must be the name of a topic"),
        (7, "Must be the name of a topic"),
        ("n" * 901, "has 901"),
        ("/topics/", "has 0"),
        ("'a' in topics " * 100, f"may have {MAX_LENGTH:,}"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_what_is_no_topic_is_refused(raw: object, why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        check_topic(raw)


def test_a_topic_and_a_condition_are_named_in_a_sentence() -> None:
    assert describe_topic("news") == "the topic news"
    assert describe_topic("'a' in topics") == "the condition 'a' in topics"
