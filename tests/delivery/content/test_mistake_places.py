"""Where a mistake of a template stands, for editors."""

from __future__ import annotations

from typing import Any

import pytest

from notifier.delivery.content import templates
from notifier.delivery.content.checking import find_mistakes
from notifier.delivery.content.liquid.mistake_places import line_and_column
from notifier.delivery.content.liquid.text import LiquidText
from notifier.delivery.content.publishing.page import finished_page
from notifier.errors import InvalidInput
from notifier.models import Layout
from tenants.models import Tenant


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("Hi\n{% if %}x", (2, 4)),
        ("a\nb {{ x | }}", (2, 3)),
        ("a\n{% for x %}{% endfor %}", (2, 1)),
        ("x\n\n {{ a.b c }}", (3, 9)),
        ("x {% if a %}{% for b in c %}", (1, 13)),
        ("x {% if a %}{% endif %}\n{% unless b %}", (2, 1)),
        ("x{% if a == %}{%endif%}", (1, 2)),
        ("y\n{% endif %}", (2, 4)),
        ("x\n{{ a ", (2, 1)),
        ("{{ a | foo }}", (1, 8)),
        ("{% raw %}", (1, 1)),
        ("a {{ forloop }}", (1, 6)),
        ("\n" + "{{ a }}" * 1001, (2, 7001)),
    ],
)
def test_liquid_that_cannot_be_parsed_has_a_place(source: str, place: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput) as refused:
        LiquidText(source)
    assert refused.value.at is not None
    assert line_and_column(source, refused.value.at) == place


@pytest.mark.parametrize(
    ("source", "place"),
    [
        ("<mjml>\n<mj-body><mj-section>\n<mj-text>a</mj-body></mjml>", (3, 1)),
        ("<mjml>\n<mj-body></mj-section></mj-body></mjml>", (2, 23)),
        ('<mjml><mj-body>\n <mj-include path="a"/></mj-body></mjml>', (2, 2)),
    ],
)
def test_mjml_that_cannot_be_read_has_a_place(source: str, place: tuple[int, int]) -> None:
    with pytest.raises(InvalidInput) as refused:
        finished_page(source)
    assert refused.value.at is not None
    assert line_and_column(source, refused.value.at) == place


@pytest.mark.django_db
def test_a_place_is_counted_in_the_part_not_in_its_layout() -> None:
    tenant = Tenant.objects.create(name="ACME", slug="acme")
    frame = "<mjml><mj-body>\n{{ content }}\n</mj-body></mjml>"
    own = "<mj-section>\n  <mj-text>a</mj-section>"
    content = {"email": {"en": {"subject": "Hi", "html": own}}}
    (mistake,) = find_mistakes(content, tenant, Layout(tenant=tenant, key="own", html=frame))
    assert mistake.at is not None and line_and_column(own, mistake.at) == (2, 3)


@pytest.mark.django_db
def test_all_mistakes_of_a_content_are_found_each_with_its_field() -> None:
    tenant = Tenant.objects.create(name="ACME", slug="acme")
    content = {
        "email": {"en": {"subject": "{{", "html": "{% if a %}"}, "de": {"subject": "Hallo"}},
        "sms": {"de": {"text": "x"}},
        "pigeon": {"en": {}},
    }
    fields = [mistake.field for mistake in find_mistakes(content, tenant, None)]
    assert fields == [
        "content.email.en.subject", "content.email.en.html", "content.email.de.text", "content.sms", "channels",
    ]  # fmt: skip
    odd: Any
    for odd in (None, 7, [], {}, {"sms": 7}, {"sms": {"en": 7}}, {"sms": {"en": {"text": 7}}}):
        assert find_mistakes(odd, tenant, None), odd
    assert find_mistakes({"sms": {"en": {"text": "x"}}}, tenant, None) == []


def test_the_version_of_the_last_change_is_kept_for_each_locale() -> None:
    assert templates.changed_in({"sms": {"en": {"text": "a"}}}, None, 1) == {"sms": {"en": 1}}
