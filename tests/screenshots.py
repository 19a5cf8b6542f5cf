"""Makes the pictures of README.md and docs: `make screenshots`. Starts the demo, opens pages in Chromium, and writes
docs/images/*.png. No test."""

from __future__ import annotations

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

PROJECT = Path(__file__).parent.parent
IMAGES = PROJECT / "docs" / "images"
RECIPIENTS = "8000"
START_SECONDS = 600
#: pixels; twice as many are drawn, so that text is sharp on every screen
WIDTH, HEIGHT = 1360, 880


@dataclass(frozen=True)
class Demo:
    site: str
    inbox: str
    username: str
    password: str


@contextmanager
def running_demo() -> Iterator[Demo]:
    """`make demo`, until the block ends."""
    with tempfile.TemporaryFile("w+") as output:
        command = [sys.executable, "-u", "-m", "notifier.local", "demo"]
        environ = {**os.environ, "DEMO_RECIPIENTS": RECIPIENTS}
        process = subprocess.Popen(command, cwd=PROJECT, env=environ, stdout=output, stderr=subprocess.STDOUT)
        try:
            yield _when_ready(process, output)
        finally:
            process.send_signal(signal.SIGINT)
            process.wait(timeout=60)


def _when_ready(process: subprocess.Popen[bytes], output: object) -> Demo:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        output.seek(0)  # type: ignore[attr-defined]
        text = output.read()  # type: ignore[attr-defined]
        login = re.search(r"^admin login +(\S+) / (\S+)$", text, re.MULTILINE)
        inbox = re.search(r"^inbox of \S+ +(\S+)$", text, re.MULTILINE)
        admin = re.search(r"(http://\S+)/admin/$", text, re.MULTILINE)
        if login and inbox and admin:
            return Demo(admin[1], inbox[1], login[1], login[2])
        time.sleep(1)
    raise SystemExit("the demo did not start")


def take(page: Page, name: str) -> None:
    page.wait_for_timeout(600)
    page.screenshot(path=IMAGES / f"{name}.png")
    print(f"docs/images/{name}.png")


def log_in(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.site}/admin/login/?next=/admin/")
    page.locator("input[name=username]").fill(demo.username)
    page.locator("input[name=password]").fill(demo.password)
    page.get_by_role("button", name="Log in").click()
    page.wait_for_url("**/admin/")


def open_row(page: Page, demo: Demo, model: str, name: str) -> None:
    """The page of the row of a list that has this text."""
    page.goto(f"{demo.site}/admin/{model}/")
    page.locator("#result_list tbody tr", has_text=name).first.locator("th a").first.click()
    page.wait_for_load_state()


def pictures(page: Page, demo: Demo) -> None:
    log_in(page, demo)
    take(page, "home")
    open_row(page, demo, "notifier/template", "big-game")
    take(page, "composer")
    page.goto(f"{demo.site}/admin/campaigns/audience/add/")
    take(page, "audience")
    page.goto(f"{demo.site}/admin/find/?q=user-0")
    if page.locator("main").get_by_role("link", name="user-0").count():
        page.locator("main").get_by_role("link", name="user-0").first.click()
    page.wait_for_load_state()
    take(page, "person")
    open_row(page, demo, "campaigns/campaign", "Big game")
    take(page, "campaign-report")
    page.get_by_role("button", name="Same again").click()
    page.get_by_role("button", name="Arm", exact=True).click()
    page.locator("#step-go").get_by_role("link").first.wait_for(timeout=120_000)
    take(page, "campaign-road")
    page.locator("#step-go").get_by_role("link").first.click()
    take(page, "campaign-go")
    if (typed := page.locator("#typed")).count():
        typed.fill(re.sub(r"\D", "", page.locator("label[for=typed]").inner_text().split("(")[1]))
    page.locator(".go-button").click()
    page.locator("[data-live]").wait_for(timeout=60_000)
    page.wait_for_timeout(2_500)
    take(page, "campaign-live")
    page.goto(demo.inbox)
    take(page, "inbox")


def main() -> None:
    with running_demo() as demo, sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium"), args=["--no-sandbox", "--disable-gpu"]
        )
        context = browser.new_context(viewport={"width": WIDTH, "height": HEIGHT}, device_scale_factor=2)
        pictures(context.new_page(), demo)
        browser.close()


if __name__ == "__main__":
    main()
