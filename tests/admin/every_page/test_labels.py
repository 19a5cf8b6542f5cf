"""A user of a screen reader learns what each input is for (WCAG 2.2, 3.3.2 and 4.1.2)."""

from __future__ import annotations

from collections.abc import Callable
from html.parser import HTMLParser

import pytest

from tenants.admin import admin_site
from tenants.models import User
from tests.admin.conftest import Browser, Site, url

pytestmark = pytest.mark.django_db
LogIn = Callable[[User], Browser]
#: inputs that people neither see nor fill
SILENT = {"hidden", "submit", "button", "image"}


class Inputs(HTMLParser):
    """Collects the inputs of a page, and which of them have a name."""

    def __init__(self) -> None:
        super().__init__()
        self.labelled: set[str] = set()
        self.inputs: list[dict[str, str]] = []
        self._within_label = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        attributes = {name: value or "" for name, value in attrs}
        if tag == "label":
            self._within_label += 1
            self.labelled.add(attributes.get("for", ""))
        elif tag in ("input", "select", "textarea") and attributes.get("type") not in SILENT:
            self.inputs.append(attributes | ({"aria-label": "its label"} if self._within_label else {}))

    def handle_endtag(self, tag: str) -> None:
        if tag == "label":
            self._within_label -= 1

    def unnamed(self) -> set[str]:
        named = ("aria-label", "aria-labelledby", "title")
        return {
            attributes.get("name", str(attributes))
            for attributes in self.inputs
            if attributes.get("id") not in self.labelled and not any(attributes.get(name) for name in named)
        }


def unnamed(html: str) -> set[str]:
    inputs = Inputs()
    inputs.feed(html)
    return inputs.unnamed()


def test_every_input_of_every_form_has_a_name(site: Site, log_in: LogIn) -> None:
    browser = log_in(site.people.ana)
    pages = [url(model, "add") for model in admin_site._registry]
    pages += [url(model, "change", row.pk) for model, row in site.acme_rows.items()]
    unnamed_inputs, pages_read = {}, 0
    for page in pages:
        answer = browser.get(page)
        if answer.status_code == 200:
            pages_read += 1
            if missing := unnamed(answer.content.decode()):
                unnamed_inputs[page] = missing
    assert pages_read > 20
    assert unnamed_inputs == {}


def test_an_input_without_a_name_would_be_noticed() -> None:
    assert unnamed('<label for="a">A</label><input id="a" name="a"><input name="b"><input type="hidden" name="c">') == {
        "b"
    }
