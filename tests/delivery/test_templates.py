"""Templates in Liquid: fallback of locales, what is missing, what is refused, and bombs."""

from __future__ import annotations

from typing import Any

import pytest

from notifier.delivery.liquid import Text
from notifier.delivery.templates import Compiled, check, fallbacks
from notifier.errors import InvalidInput, MissingVariables


def test_locales_fall_back_to_the_language_and_then_to_the_tenants_default() -> None:
    compiled = Compiled({"push": {"de": {"title": "Hallo", "body": "b"}, "en": {"title": "Hi", "body": "b"}}})
    assert [compiled.locale_for("push", wanted, "en") for wanted in ("de-AT", "de", "fr-CA", "", "EN")] == [
        "de", "de", "en", "en", "en",
    ]  # fmt: skip


def test_fallbacks_of_a_long_tag() -> None:
    assert fallbacks("zh_Hant-TW") == ["zh-Hant-TW", "zh-Hant", "zh"]


@pytest.mark.parametrize(
    ("source", "variables", "expected"),
    [
        ("plain", {}, "plain"),
        ("Hi {{ recipient.name }}", {"recipient": {"name": "Ada"}}, "Hi Ada"),
        ("{{ code | default: 'none' }}", {}, "none"),
        ("{% if vip %}VIP{% else %}you{% endif %}", {"vip": False}, "you"),
        ("{{ x.__class__ }}{{ x.password | default: '' }}", {"x": {"__class__": "safe"}}, "safe"),
    ],
)
def test_rendering(source: str, variables: dict[str, Any], expected: str) -> None:
    assert Text(source).render(variables) == expected


def test_a_missing_variable_is_named() -> None:
    with pytest.raises(MissingVariables) as caught:
        Text("Hi {{ recipient.nme }}").render({"recipient": {"name": "Ada"}})
    assert caught.value.field == "data.recipient.nme"


@pytest.mark.parametrize("source", ["{{ a", "{% if %}", "{% nope %}", "{{ a | nope }}", "{% include 'x' %}"])
def test_broken_sources_are_refused_when_published(source: str) -> None:
    with pytest.raises(InvalidInput):
        Text(source)


@pytest.mark.parametrize(
    "bomb",
    [
        "{% for i in (1..100000) %}{% for j in (1..100000) %}x{% endfor %}{% endfor %}",
        "{% assign a = x %}{% for i in (1..30) %}{% assign a = a | append: a %}{% endfor %}{{ a }}",
        "{{ x | replace: 'a', x | replace: 'a', x }}",
        "{% for i in (1..9999) %}{{ x }}{% endfor %}",
        "{% assign p = x | split: '' %}{{ p | join: x }}",
        "{{ 'a' | times: 9 | divided_by: 0 }}",
    ],
)
def test_bombs_end_in_an_error_and_not_in_memory(bomb: str) -> None:
    with pytest.raises(InvalidInput):
        Text(bomb).render({"x": "a" * 60_000})


@pytest.mark.parametrize(
    ("content", "field"),
    [
        ([], "content"),
        ({}, "content"),
        ({"pigeon": {"en": {}}}, "channels"),
        ({"push": {}}, "content.push"),
        ({"push": {"de": {"title": "a", "body": "b"}}}, "content.push"),
        ({"push": {"en": []}}, "content.push.en"),
        ({"push": {"en": {"title": "a"}}}, "content.push.en.body"),
        ({"push": {"en": {"title": "a", "body": "b", "sound": "c"}}}, "content.push.en.sound"),
        ({"push": {"en": {"title": 7, "body": "b"}}}, "content.push.en.title"),
        ({"push": {"en": {"title": "{{ a", "body": "b"}}}, "content.push.en.title"),
        ({"push": {"en": {"title": "a", "body": "b", "data": {"k": 1}}}}, "content.push.en.data.k"),
        ({"push": {"en": {"title": "a", "body": "b", "data": "x"}}}, "content.push.en.data"),
    ],
)
def test_what_cannot_be_published_names_its_place(content: Any, field: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check(content, "en")
    assert caught.value.field == field


def test_the_variables_of_a_version_are_listed() -> None:
    content = {"push": {"en": {"title": "{{ recipient.name }}", "body": "{{ order }}", "data": {"k": "{{ order }}"}}}}
    assert check(content, "en").variables == ["order", "recipient.name"]
