"""Which links of a page are replaced, and that nothing else of the page changes."""

from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from notifier.delivery.content.tracking.html_links import is_web, replace_links, with_pixel


def tracked(html: str) -> str:
    return replace_links(html, lambda url: f"T({url})" if is_web(url) else None)


@pytest.mark.parametrize(
    ("html", "expected"),
    [
        ('<a href="https://x.example/">x</a>', '<a href="T(https://x.example/)">x</a>'),
        ("<A HREF='HTTP://x.example'>x</A>", '<A HREF="T(HTTP://x.example)">x</A>'),
        ("<a href=https://x.example/?a=1>x</a>", '<a href="T(https://x.example/?a=1)">x</a>'),
        ('<a\n class="b"\n href = " https://x.example "\n>', '<a\n class="b"\n href = "T(https://x.example)"\n>'),
        ('<a href="https://x.example/?a=1&amp;b=2">', '<a href="T(https://x.example/?a=1&amp;b=2)">'),
        ('<a href="https://x.example/?a=1&copy=2">', '<a href="T(https://x.example/?a=1&amp;copy=2)">'),
        ('<a href="https://x.example/&#x2F;é">', '<a href="T(https://x.example//é)">'),
        ('<a title="1 > 0" href="https://x.example">', '<a title="1 > 0" href="T(https://x.example)">'),
        ("<a title=\"href='https://y.example'\" href='https://x.example'>", None),
        ('<area shape="rect" href="https://x.example">', '<area shape="rect" href="T(https://x.example)">'),
        (
            '<!--[if mso]><v:roundrect href="https://x.example"></v:roundrect><![endif]-->',
            '<!--[if mso]><v:roundrect href="T(https://x.example)"></v:roundrect><![endif]-->',
        ),
        ('<a href="https://x.example" data-no-track>x</a>', "same"),
        ('<a data-no-track="yes" href="https://x.example">x</a>', "same"),
        ('<a href="mailto:a@x.example">', "same"),
        ('<a href="tel:+431">', "same"),
        ('<a href="#top">', "same"),
        ('<a href="/orders">', "same"),
        ('<a href="">', "same"),
        ("<a href>", "same"),
        ('<a href="javascript:alert(1)">', "same"),
        ('<a href="https://">', "same"),
        ('<a href="https:///x.example">', "same"),
        ('<a href="https://bü.example/">', "same"),
        ('<a href="https://x.example/a b">', "same"),
        ('<a href="https://x.example/\n">', '<a href="T(https://x.example/)">'),
        ('<a href="https://x.example', "same"),
        ('<abbr href="https://x.example">', "same"),
        ('<link href="https://x.example/s.css">', "same"),
        ('<img src="https://x.example/i.png">', "same"),
        ("https://x.example", "same"),
    ],
)
def test_only_links_to_the_web_are_replaced(html: str, expected: str | None) -> None:
    if expected is None:
        assert tracked(html) == '<a title="href=\'https://y.example\'" href="T(https://x.example)">'
    else:
        assert tracked(html) == (html if expected == "same" else expected)


@pytest.mark.parametrize(
    ("html", "place"),
    [
        ("<html><body><p>x</p></body></html>", "<html><body><p>x</p>|</body></html>"),
        ("<p>x</p></BODY >", "<p>x</p>|</BODY >"),
        ("<p>x</p></html>", "<p>x</p>|</html>"),
        ("<p>x</p>", "<p>x</p>|"),
        ("", "|"),
    ],
)
def test_the_pixel_is_at_the_end_of_the_page(html: str, place: str) -> None:
    assert re.sub("<img [^>]*>", "|", with_pixel(html, "https://n.example/o/x")) == place


@given(st.text(alphabet="<a href=\"'>htps:/x.é&amp;-data-no-track\n", max_size=200))
@settings(deadline=None, max_examples=300)
def test_a_page_without_a_replacement_is_the_same_page(html: str) -> None:
    assert replace_links(html, lambda url: None) == html


@pytest.mark.parametrize("piece", ["<a ", '<a "', "<a '", "<a href=", "<a href='x\" ", "<v:", "<a x\n", "<a \t="])
def test_a_page_that_is_made_to_hurt_is_read_quickly(piece: str) -> None:
    assert tracked(piece * 20_000) == piece * 20_000
