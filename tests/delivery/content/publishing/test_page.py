"""HTML and MJML with Liquid in it: what publishing makes of it, and what it refuses."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from notifier.delivery.content.liquid.text import LiquidText
from notifier.delivery.content.publishing.html_scan import stretches
from notifier.delivery.content.publishing.liquid_tokens import protect
from notifier.delivery.content.publishing.page import finished_page
from notifier.errors import InvalidInput

ITEMS = {
    "items": [{"name": "Tea & <Co>"}, {"name": "Cup"}],
    "vip": True,
    "color": "teal",
    "url": "https://a.example/?q",
}
LOOP = "{% for i in items %}<tr><td>{{ i.name }}</td></tr>{% endfor %}"


def rendered(page: str, **variables: object) -> str:
    return LiquidText(page, escapes=True).render({**ITEMS, **variables})


def test_a_page_without_style_sheets_stays_as_it_is() -> None:
    page = "<!doctype html><p {% if vip %}class=a{% endif %}>{{ name }}<br>&nbsp;</p>"
    assert finished_page(page) == page


def test_styles_become_attributes_and_liquid_stays_where_it_was() -> None:
    page = finished_page(
        "<style>td{color:{{ color }}} a:hover{color:red} @media print{td{color:black}}</style>"
        f"<table>{LOOP}</table>"
        '{% if vip %}<a href="{{ url | append: "=1" }}">{{ html | raw }}</a>{% endif %}'
    )
    html = rendered(page, html="<b>now</b>")
    row = '<tr><td style="color: teal;">{}</td></tr>'
    assert row.format("Tea &amp; &lt;Co&gt;") + row.format("Cup") in html
    assert '<a href="https://a.example/?q=1"><b>now</b></a>' in html
    assert "a:hover" in html and "@media print" in html and "tbody" not in html


MJML = (
    "<mjml><mj-head><mj-title>{{ title }}</mj-title></mj-head><mj-body>{% if vip %}<mj-section><mj-column>"
    '<mj-text color="{{ color }}">Hi {{ recipient.name }} {{ html | raw }}</mj-text>'
    f"<mj-table>{LOOP}</mj-table>"
    '<mj-button href="{{ url }}">Go</mj-button></mj-column></mj-section>{% endif %}</mj-body></mjml>'
)


def test_mjml_is_compiled_and_liquid_survives() -> None:
    page = finished_page(MJML)
    assert "<mj" not in page and "mso" in page
    html = rendered(page, title="News", html="<b>now</b>", recipient={"name": "O'Neil & Co"})
    assert "<title>News</title>" in html and "O&#x27;Neil &amp; Co <b>now</b>" in html
    assert html.count("<tr><td>") >= 2 and "color:teal" in html and 'href="https://a.example/?q"' in html
    assert "Hi" not in rendered(page, title="", html="", recipient={"name": "x"}, vip=False)


@pytest.mark.parametrize(
    ("source", "problem"),
    [
        ("<mjml><mj-body><mj-section></mj-body></mjml>", "close each element"),
        ('<mjml><mj-body><mj-include path="/etc/passwd"/></mj-body></mjml>', "<mj-include> is not possible"),
        ('<mjml><mj-body><mj-divider foo="{{ a }}"/></mj-body></mjml>', "MJML drops {{ a }}"),
        ("<mjml><mj-body>" + "<mj-wrapper>" * 4000 + "</mj-body></mjml>", "levels deep"),
        ("<style>p{}</style>" + "<div>" * 12_000, "levels deep"),
        ("<style>p{}</style><p {% if vip %}class='a'{% endif %}>", "Put it into the value of an attribute"),
        ("<style>{% if vip %}p{}{% endif %}</style><p>", "stands in a style sheet"),
        ("<style>" + "p{a:b}" * 4000 + "</style>" + "<p>" * 4000, "levels deep"),
        ("<style>" + "p{a:b}" * 4000 + "</style>" + "<p></p>" * 4000, "too many for a page of this size"),
    ],
)  # fmt: skip
def test_what_cannot_be_published_names_the_remedy(source: str, problem: str) -> None:
    with pytest.raises(InvalidInput) as error:
        finished_page(source)
    assert problem in error.value.message


@given(st.text(alphabet="<>\"'a/=-! style{}%", max_size=80))
def test_every_source_is_read_to_its_end_once(source: str) -> None:
    at = 0
    for stretch in stretches(source):
        assert stretch.start == at and stretch.end >= at
        at = stretch.end
    assert at == len(source)


PIECES = ["{{ a }}", "{% if a %}", "{% endif %}", "<p>", "</p>", ' t="', "lq", "<!--", "-->", "x"]


@given(st.lists(st.sampled_from(PIECES)))
def test_tokens_give_the_source_back(pieces: list[str]) -> None:
    source = "".join(pieces)
    try:
        protected, tokens = protect(source)
    except InvalidInput:
        return
    assert tokens.restore(protected) == source
