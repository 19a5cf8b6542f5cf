"""Rendering for single messages gives what rendering and checking each message anew gives, errors included."""

from __future__ import annotations

from typing import Any

import pytest

from notifier.delivery.content.partly_rendered import Locale
from notifier.delivery.content.templates import Compiled
from notifier.errors import InvalidInput, NotifierError
from notifier.vocabulary.content import TenantRules

RULES = TenantRules(schemes=("myapp",))
PUSH: dict[str, Any] = {"title": "Hi", "body": "Order {{ order }}", "data": {"order": "{{ order }}", "kind": "order"}}
LINK = {**PUSH, "link": "{{ link }}"}
CASES: list[tuple[str, dict[str, Any], dict[str, Any]]] = [
    ("push", PUSH, {"order": "7"}),
    ("push", PUSH, {"order": "x" * 4_000}),
    ("push", PUSH, {"order": "x" * 440}),
    ("push", PUSH, {}),
    ("push", {"title": "{{ a }}", "body": "{{ b }}"}, {"a": "", "b": ""}),
    ("push", {"title": "{{ a }}", "body": "{{ b }}"}, {"a": "A", "b": ""}),
    ("push", {"title": "Hi", "body": "there"}, {}),
    ("push", LINK, {"order": "7", "link": "myapp://orders/7"}),
    ("push", LINK, {"order": "7", "link": "javascript:alert(1)"}),
    ("push", {"title": "Hi", "body": "there", "link": "other://x"}, {}),
    ("push", {"data": {"a": "{% if order %}{{ order }}{% endif %}"}}, {"order": "7"}),
    ("in_app", {"title": "{{ a }}", "body": "b"}, {"a": "x" * 500}),
    ("in_app", {"title": "{{ a }}", "body": "b"}, {"a": "x" * 501}),
    ("sms", {"text": "{{ a }}"}, {"a": "é" * 400}),
    ("sms", {"text": "{{ a }}"}, {"a": "x" * 10_000}),
    ("email", {"subject": "{{ a }}", "text": "Dear {{ a }}"}, {"a": "Ada\r\nBcc: x@example.com"}),
    ("email", {"subject": "{{ a }}", "html": "<p>{{ a }}</p>"}, {"a": "<b>"}),
]


def outcome(render: Any) -> Any:
    try:
        return render()
    except NotifierError as error:
        return type(error), error.message, error.field, error.code


@pytest.mark.parametrize("number", range(len(CASES)))
def test_a_message_is_the_same_and_is_refused_for_the_same_reason(number: int) -> None:
    name, parts, variables = CASES[number]
    compiled, content = Compiled({name: {"en": parts}}), Locale(name, "en")
    expected = outcome(lambda: compiled.render(content, variables, RULES))
    whole = compiled.whole_messages(content, RULES)
    for _ in range(2):
        assert outcome(lambda: whole.render(variables)) == expected


def test_messages_share_no_object_and_other_rules_of_the_tenant_are_another_content() -> None:
    compiled, content = Compiled({"push": {"en": LINK}}), Locale("push", "en")
    variables = {"order": "7", "link": "myapp://orders/7"}
    whole = compiled.whole_messages(content, RULES)
    assert whole.render(variables)["data"] is not whole.render(variables)["data"]
    assert compiled.whole_messages(content, TenantRules(schemes=["myapp"])) is whole
    with pytest.raises(InvalidInput):
        compiled.whole_messages(content, TenantRules()).render(variables)
