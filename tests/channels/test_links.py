"""What a link in a message may be."""

from __future__ import annotations

import pytest

from notifier.channels.links import check_image, check_link, check_scheme, runs_code
from notifier.errors import InvalidInput

ALLOWED = [
    "", "https://shop.example/orders/17?a=b#c", "http://shop.example", "HTTPS://SHOP.EXAMPLE",
    "mailto:help@shop.example", "tel:+4312345", "/orders/17",
    "/", "?page=2", "#top", "myapp://orders/17", "MyApp:orders", "https://x.example/a b",
]  # fmt: skip
REFUSED = [
    "javascript:alert(1)", "JavaScript:alert(1)", "java\tscript:alert(1)", " javascript:alert(1)", "\u200bjavascript:x",
    "data:text/html,x", "vbscript:x", "file:///etc/passwd", "blob:https://x", "intent://x", "view-source:https://x",
    "//evil.example", "/\\evil.example", "otherapp://x", "https://", "https:///path", "http:shop.example",
    "shop.example", "orders/17", "/a\nb", "https://x.example/\x00", "myapp\x00://x",
]  # fmt: skip


@pytest.mark.parametrize("text", ALLOWED)
def test_a_link_that_opens_a_page_or_an_app_of_the_tenant_is_allowed(text: str) -> None:
    check_link(text, ["myapp"])
    assert not runs_code(text)


@pytest.mark.parametrize("text", REFUSED)
def test_any_other_link_is_refused_and_names_its_part(text: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_link(text, ["myapp"])
    assert caught.value.field == "link"
    assert len(caught.value.message) < 200


def test_no_tenant_can_allow_a_scheme_that_runs_code() -> None:
    for text in ("javascript:alert(1)", "java\tscript:alert(1)", " data:x"):
        assert runs_code(text)
        with pytest.raises(InvalidInput):
            check_link(text, ["javascript", "data"])


@pytest.mark.parametrize(("typed", "stored"), [("myapp", "myapp"), (" MyApp:// ", "myapp"), ("my-app:", "my-app")])
def test_a_scheme_is_stored_without_its_colon(typed: str, stored: str) -> None:
    assert check_scheme(typed) == stored


@pytest.mark.parametrize("typed", ["", "a", "1app", "my app", "my/app", "javascript", "DATA:", "x" * 40])
def test_a_scheme_that_is_none_or_runs_code_is_refused(typed: str) -> None:
    with pytest.raises(InvalidInput) as caught:
        check_scheme(typed)
    assert caught.value.field == "link_schemes"


@pytest.mark.parametrize(
    "text", ["/relative.png", "data:image/png;base64,AAAA", "cdn.example/a.png", "https://", "ftp://x/y"]
)
def test_an_image_is_an_absolute_web_address(text: str) -> None:
    check_image("https://cdn.example/a.png")
    with pytest.raises(InvalidInput) as caught:
        check_image(text)
    assert caught.value.field == "image"
