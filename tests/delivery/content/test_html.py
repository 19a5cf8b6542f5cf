"""Variables in HTML are escaped once; the filter `raw` is the way out. Other parts show them as they are."""

from __future__ import annotations

from html import escape

import pytest

from notifier.delivery.content.liquid.text import LiquidText

NAME = "O'Neil & <b>Co</b>"
ESCAPED = "O&#x27;Neil &amp; &lt;b&gt;Co&lt;/b&gt;"


@pytest.mark.parametrize(
    ("source", "text", "html"),
    [
        ("<p>{{ name }}</p>", f"<p>{NAME}</p>", f"<p>{ESCAPED}</p>"),
        ("{{ name | append: '' }}", NAME, ESCAPED),
        ("{{ name | raw }}", NAME, NAME),
        ("{{ name | escape }}", ESCAPED, ESCAPED),
        ("{{ name | escape_once }}", ESCAPED, ESCAPED),
        ("{{ name | raw | upcase }}", NAME.upper(), escape(NAME.upper())),
        ("{% capture x %}<i>{{ name }}</i>{% endcapture %}{{ x }}", f"<i>{NAME}</i>", f"<i>{ESCAPED}</i>"),
        ("{% echo name %}", NAME, ESCAPED),
        ("{% cycle name, 'b' %}", NAME, ESCAPED),
        ("{% assign y = name %}{{ y }}", NAME, ESCAPED),
        ("{% for one in items %}{{ one }},{% endfor %}", "<,&,", "&lt;,&amp;,"),
        ("{{ items | join: '<' }}", "<<&", "&lt;&lt;&amp;"),
        ('{% if name == "O\'Neil & <b>Co</b>" %}same{% endif %}', "same", "same"),
        ("{{ count }}", "7", "7"),
        ("{{ lines | newline_to_br }}", "&<br />\nb", "&amp;<br />\nb"),
        ("{{ lines | escape | newline_to_br }}", "&amp;<br />\nb", "&amp;<br />\nb"),
        ("{{ lines | raw | newline_to_br }}", "&<br />\nb", "&<br />\nb"),
        (
            "{% tablerow one in items %}{{ one }}{% endtablerow %}",
            '<tr class="row1">\n<td class="col1"><</td><td class="col2">&</td></tr>\n',
            '<tr class="row1">\n<td class="col1">&lt;</td><td class="col2">&amp;</td></tr>\n',
        ),
        ("{% liquid echo name %}", NAME, ESCAPED),
        ("{{ items }}", '["<","&"]', "[&quot;&lt;&quot;,&quot;&amp;&quot;]"),
        ("{{ name | raw | append: name }}", NAME + NAME, ESCAPED + ESCAPED),
        ("<p>constant & plain</p>", "<p>constant & plain</p>", "<p>constant & plain</p>"),
    ],
)
def test_a_variable_is_escaped_in_html_only(source: str, text: str, html: str) -> None:
    variables = {"name": NAME, "items": ["<", "&"], "count": 7, "lines": "&\nb"}
    assert LiquidText(source).render(variables) == text
    assert LiquidText(source, escapes=True).render(variables) == html
