"""Chromium for the browser tests: one driver and one browser for all tests of a process, a new context for each test.

A start of both costs 1 s of CPU; a context costs 20 ms, and shares no cookies, storage or workers with another one.

    def test_the_page_shows_its_title(chrome: Browser, web: Web) -> None:
        with open_page(chrome, viewport={"width": 320, "height": 700}) as page:
            page.goto(f"{web.origin}/…")

`tab` is such a page of a common size, and `log_in` signs a user in to the admin without the login form.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
from django.test import Client
from playwright.sync_api import Browser, ConsoleMessage, Locator, Page, expect, sync_playwright

from tenants.models import User
from tests.inbox.web import Web

#: the limit of a step, in milliseconds: a guard, not a measure
TIMEOUT = 60_000
FLAGS = "--no-sandbox --disable-gpu --disable-background-networking --disable-component-update --disable-sync"
#: a violation of a page's policy becomes a line of its console, also where Chromium itself writes none
TELL = """
document.addEventListener('securitypolicyviolation', e => console.error('VIOLATION', e.violatedDirective, e.blockedURI))
"""
#: Django refuses the database to code below a running event loop, and playwright's loop is one
ALLOW_DATABASE = "DJANGO_ALLOW_ASYNC_UNSAFE"


class Chromium:
    """A driver with its browser. A browser that a test broke is replaced before the next test."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._playwright = sync_playwright().start()
        self._loop = asyncio.get_running_loop()
        asyncio.events._set_running_loop(None)
        self._browser: Browser | None = None

    @contextmanager
    def opened(self) -> Iterator[Browser]:
        """The browser, without contexts. Playwright's loop counts as running until the end of the block only: tests
        without a browser run loops of their own in this thread."""
        asyncio.events._set_running_loop(self._loop)
        os.environ[ALLOW_DATABASE] = "1"
        expect.set_options(timeout=TIMEOUT)
        try:
            if self._browser is None or not self._browser.is_connected():
                self._browser = self._playwright.chromium.launch(executable_path=self._path, args=FLAGS.split())
            yield self._browser
            for context in self._browser.contexts:
                context.close()
        finally:
            del os.environ[ALLOW_DATABASE]
            asyncio.events._set_running_loop(None)

    def stop(self) -> None:
        asyncio.events._set_running_loop(self._loop)
        if self._browser is not None:
            self._browser.close()
        self._playwright.stop()
        asyncio.events._set_running_loop(None)


@pytest.fixture(scope="session")
def chromium_of_the_session(chromium: str) -> Iterator[Chromium]:
    running = Chromium(chromium)
    yield running
    running.stop()


@pytest.fixture
def chrome(chromium_of_the_session: Chromium) -> Iterator[Browser]:
    """The browser of this process. The contexts that a test opens in it are closed after the test."""
    with chromium_of_the_session.opened() as browser:
        yield browser


@contextmanager
def open_page(chrome: Browser, **options: Any) -> Iterator[Page]:
    """A page in a new context with these options. The block fails if a script of the page fails, or if the page breaks
    its Content-Security-Policy."""
    page = chrome.new_context(**options).new_page()
    page.set_default_timeout(TIMEOUT)
    complaints: list[str] = []

    def read(line: ConsoleMessage) -> None:
        if "VIOLATION" in line.text or "Content Security" in line.text:
            complaints.append(f"{page.url}: {line.text}")

    page.add_init_script(TELL)
    page.on("pageerror", lambda error: complaints.append(f"{page.url}: {error}"))
    page.on("console", read)
    yield page
    page.context.close()
    assert complaints == []


@pytest.fixture
def tab(chrome: Browser) -> Iterator[Page]:
    """A page of a common size that fails the test when a script fails or the page breaks its policy."""
    with open_page(chrome, viewport={"width": 1280, "height": 900}) as page:
        yield page


def log_in(tab: Page, web: Web, user: User) -> None:
    """Sign the user in with the cookie of a session."""
    client = Client()
    client.force_login(user)
    tab.context.add_cookies([{"name": "sessionid", "value": client.cookies["sessionid"].value, "url": web.origin}])


def reach_by_tab(tab: Page, control: Locator) -> None:
    """Press Tab until the control has the focus. A date has three parts, so the way to it may be long."""
    for _ in range(60):
        if control.evaluate("control => control === document.activeElement"):
            return
        tab.keyboard.press("Tab")
    raise AssertionError("Tab never reaches the control")
