"""Whether a scanner or a prefetcher opened a message or a link, and not a person. Pure.

| what | taken for | why |
|---|---|---|
| a method other than GET | machine | link checkers send HEAD |
| a header that announces a prefetch | machine | the browser loads what a person may open later |
| an agent of MACHINES, or no agent | machine | it names a scanner, a crawler or a library |
| an agent of PROXIES | person | the mail service fetches the image when a person opens the message |
| the agent `Mozilla/5.0`, and nothing else | machine | Apple Mail loads all images when the message arrives |
| within INSTANT of the message | machine | a person needs longer; a scanner opens what it delivers |
| BURST links of a message within BURST_WITHIN, in the first minutes | machine | a scanner follows every link |

What remains are machines that look like a person's browser: Apple's later fetches, scanners that wait. Count opens as a
trend, and clicks as the better sign.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from datetime import timedelta

INSTANT = timedelta(seconds=2)
BURST, BURST_WITHIN, EARLY = 3, timedelta(seconds=5), timedelta(minutes=5)

#: image proxies of Gmail, Yahoo and Outlook: the first fetch is a person's, later ones come from the proxy's cache
PROXIES = re.compile(r"GoogleImageProxy|YahooMailProxy|OutlookImageProxy", re.IGNORECASE)
MACHINES = re.compile(
    # scanners of mail security services
    r"barracuda|mimecast|proofpoint|safelinks|fireeye|trellix|trend ?micro|symantec|messagelabs|forcepoint|cloudmark"
    r"|ironport|sophos|bitdefender|virustotal|urlscan|zscaler|cyren|spamhaus|vade"
    # previews of links in other apps
    r"|facebookexternalhit|slackbot|twitterbot|linkedinbot|whatsapp|telegrambot|discordbot|skypeuripreview"
    r"|microsoft office|ms-office|bingpreview|google-safety|googlebot|applebot|yandex|baiduspider"
    # the agent of Gmail's prefetch, an Edge that never existed on its own
    r"|edge/12\.246 mozilla/5\.0"
    # libraries and tools
    r"|bot\b|crawler|spider|scanner|curl/|wget/|python-|go-http-client|java/|okhttp|libwww|httpclient|axios|node-fetch"
    r"|headlesschrome|phantomjs|apache-httpclient|guzzlehttp|ruby",
    re.IGNORECASE,
)
#: characters of an agent that are looked at
_LONGEST_AGENT = 500
_APPLE_PREFETCH = "Mozilla/5.0"
_PREFETCH_HEADERS = ("sec-purpose", "purpose", "x-purpose", "x-moz")


def by_request(method: str, headers: Mapping[str, str]) -> bool:
    """Whether the request itself shows a machine. `headers`: found by names in lower case."""
    if method != "GET" or any("prefetch" in headers.get(name, "").lower() for name in _PREFETCH_HEADERS):
        return True
    agent = headers.get("user-agent", "")[:_LONGEST_AGENT].strip()
    if PROXIES.search(agent):
        return False
    return agent in ("", _APPLE_PREFETCH) or MACHINES.search(agent) is not None


def by_time(after: timedelta) -> bool:
    """Whether an event so long after the message was sent is a machine's."""
    return after < INSTANT


def in_bursts(clicks: Sequence[tuple[timedelta, str]]) -> set[int]:
    """The clicks on one message that belong to a burst. `clicks`: how long after the message, and the URL."""
    early = sorted((after, i) for i, (after, _) in enumerate(clicks) if after < EARLY)
    machines: set[int] = set()
    first = 0
    for last, (after, _) in enumerate(early):
        while after - early[first][0] > BURST_WITHIN:
            first += 1
        burst = [i for _, i in early[first : last + 1]]
        if len({clicks[i][1] for i in burst}) >= BURST:
            machines.update(burst)
    return machines
