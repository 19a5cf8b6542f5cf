"""Who opened a message: a person, or a scanner or prefetcher."""

from __future__ import annotations

from datetime import timedelta

import pytest

from notifier.delivery.engagement import machines

IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Mobile/15E148"
CHROME = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/131.0 Safari/537.36"
THUNDERBIRD = "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Thunderbird/128.4.3"
OUTLOOK = "Mozilla/4.0 (compatible; MSIE 7.0; Windows NT 10.0; WOW64; Trident/8.0; Microsoft Outlook 16.0.5134)"
GMAIL = "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)"
GMAIL_PREFETCH = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/42.0.2311.135 "
    "Safari/537.36 Edge/12.246 Mozilla/5.0"
)


@pytest.mark.parametrize(
    ("method", "headers", "machine"),
    [
        ("GET", {"user-agent": IPHONE}, False),
        ("GET", {"user-agent": CHROME}, False),
        ("GET", {"user-agent": THUNDERBIRD}, False),
        ("GET", {"user-agent": OUTLOOK}, False),
        ("GET", {"user-agent": GMAIL}, False),
        ("GET", {"user-agent": "YahooMailProxy; https://help.yahoo.com/kb/yahoo-mail-proxy-SLN28749.html"}, False),
        ("GET", {"user-agent": "Mozilla/5.0"}, True),
        ("GET", {"user-agent": GMAIL_PREFETCH}, True),
        ("GET", {"user-agent": ""}, True),
        ("GET", {}, True),
        ("HEAD", {"user-agent": CHROME}, True),
        ("GET", {"user-agent": CHROME, "sec-purpose": "prefetch;prerender"}, True),
        ("GET", {"user-agent": CHROME, "purpose": "Prefetch"}, True),
        ("GET", {"user-agent": "BarracudaCentral/1.0"}, True),
        ("GET", {"user-agent": "Mimecast-Link-Check"}, True),
        ("GET", {"user-agent": "python-requests/2.32"}, True),
        ("GET", {"user-agent": "curl/8.5.0"}, True),
        ("GET", {"user-agent": "Mozilla/5.0 (compatible; bingbot/2.0; +http://www.bing.com/bingbot.htm)"}, True),
        ("GET", {"user-agent": "Slackbot-LinkExpanding 1.0"}, True),
        ("GET", {"user-agent": "Microsoft Office/16.0 (Windows NT 10.0; Microsoft Outlook 16.0)"}, True),
        ("GET", {"user-agent": "x" * 100_000}, False),
    ],
)
def test_the_request_shows_most_machines(method: str, headers: dict[str, str], machine: bool) -> None:
    assert machines.by_request(method, headers) is machine


@pytest.mark.parametrize(("seconds", "machine"), [(-5, True), (0, True), (1.9, True), (2, False), (600, False)])
def test_a_person_needs_longer_than_an_instant(seconds: float, machine: bool) -> None:
    assert machines.by_time(timedelta(seconds=seconds)) is machine


@pytest.mark.parametrize(
    ("clicks", "expected"),
    [
        ([], set()),
        ([(10, "a")], set()),
        ([(10, "a"), (11, "b")], set()),
        ([(10, "a"), (11, "b"), (12, "c")], {0, 1, 2}),
        ([(12, "c"), (10, "a"), (11, "b")], {0, 1, 2}),
        ([(10, "a"), (11, "a"), (12, "a")], set()),  # a person who clicks again and again
        ([(10, "a"), (14, "b"), (18, "c")], set()),
        ([(10, "a"), (11, "b"), (12, "c"), (200, "a")], {0, 1, 2}),
        ([(1000, "a"), (1001, "b"), (1002, "c")], set()),  # a person opens some links of a digest in tabs
        ([(10, "a"), (12, "b"), (14, "c"), (16, "d")], {0, 1, 2, 3}),
    ],
)
def test_a_client_that_follows_every_link_is_a_scanner(clicks: list[tuple[float, str]], expected: set[int]) -> None:
    assert machines.in_bursts([(timedelta(seconds=after), url) for after, url in clicks]) == expected
