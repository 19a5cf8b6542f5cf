"""The text that is derived from a page."""

from __future__ import annotations

import pytest

from notifier.delivery.content.liquid.text import LiquidText
from notifier.delivery.content.publishing.page import finished_page
from notifier.delivery.content.publishing.plain_text import text_of_html
from notifier.errors import InvalidInput
from tests.delivery.content.publishing.test_page import ITEMS, MJML

PAGE = """<html><head><title>No</title><style>p{}</style></head><body><div style="display:none">hidden</div>
<h1>Hi {{ recipient.name }}</h1>{% if vip %}<p>Thanks &amp; more: {{ html | raw }}</p>{% endif %}
<table>{% for i in items %}<tr><td>{{ i.name }}</td><td>1</td></tr>{% endfor %}</table>
<p><a href="{{ url }}&amp;b=1">Your order</a> <a href="https://b.example">https://b.example</a>
<img src="l.png" alt="Acme"></p></body></html>"""


def test_the_text_is_a_template_that_reads_as_the_page_does() -> None:
    text = text_of_html(PAGE)
    variables = {**ITEMS, "recipient": {"name": "O'Neil & <Co>"}, "html": "<b>now &amp; then</b><br>soon"}
    assert LiquidText(text).render(variables).splitlines() == [
        "Hi O'Neil & <Co>",
        "",
        "Thanks & more: now & then",
        "soon",
        "",
        "Tea & <Co> 1",
        "Cup 1",
        "",
        "Your order (https://a.example/?q&b=1) https://b.example Acme",
    ]


def test_a_page_in_mjml_has_a_text_too() -> None:
    text = LiquidText(text_of_html(finished_page(MJML)))
    shown = text.render({**ITEMS, "recipient": {"name": "Ann"}, "html": "<i>x</i>"})
    assert shown.splitlines() == ["Hi Ann x", "Tea & <Co>", "Cup", "Go (https://a.example/?q)"]


def test_a_page_of_pictures_has_no_text() -> None:
    assert text_of_html('<p><img src="a.png"></p>') == ""


def test_a_value_that_is_set_outside_of_the_text_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"'who' gets its value .* Write the part 'text'"):
        text_of_html("<body><!-- {% assign who = name %} --><p>{{ who }}</p></body>")
