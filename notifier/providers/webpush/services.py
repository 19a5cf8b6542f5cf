"""Which hosts are push services of browsers. An endpoint is a URL that a stranger chooses, so only a host on this list
may be named by a token, and the provider looks again before it builds a request.

The transport refuses internal addresses besides (notifier.transport.egress): a name of this list that DNS points inside
reaches nothing.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

#: host names; `*.` stands for one or more labels
SERVICES = (
    "fcm.googleapis.com",  # Chrome, Edge on Android, Opera, Samsung Internet, Brave
    "android.googleapis.com",  # subscriptions of Chrome before 2017
    "jmt17.google.com",  # Chromium as Linux distributions build it
    "*.push.services.mozilla.com",  # Firefox
    "*.notify.windows.com",  # Edge on Windows
    "*.push.apple.com",  # Safari: web.push.apple.com
)
#: where the sandbox's own subscriptions are (engine accounts with `sandbox`)
SANDBOX_PATH = "/webpush/"

#: how the paths of subscriptions begin on hosts of Google: the other paths are Google's APIs, whose refusals look like
#: those of an account's authorization. A subscription of Chrome has /wp/ or /fcm/send/, one before 2017 /gcm/send/
_PATHS: Mapping[str, tuple[str, ...]] = dict.fromkeys(
    ("fcm.googleapis.com", "android.googleapis.com", "jmt17.google.com"),
    ("/wp/", "/fcm/send/", "/gcm/send/", "/preprod/wp/"),
)
_HOST = r"([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z][a-z0-9-]{0,62}"
_is_host, _NAME = re.compile(_HOST).fullmatch, re.compile(rf"(\*\.)?{_HOST}")
_more: tuple[str, ...] = ()
_sandbox = ""


def allow(hosts: Iterable[str], sandbox: str = "") -> None:
    """Allow these services beside those of the browsers in this process, and subscriptions of the sandbox at this
    origin. Raises ValueError, naming the text."""
    global _more, _sandbox
    names = [host.strip().lower() for host in hosts if host.strip()]
    for name in names:
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} is no host name, such as push.example.com or *.push.example.com")
    _more, _sandbox = tuple(names), sandbox.rstrip("/")


def allowed() -> tuple[tuple[str, ...], str]:
    """What `allow` set."""
    return _more, _sandbox


def is_service(host: str) -> bool:
    """Whether this host, in lower case, is a push service. A text that no host can be called is none, however it
    ends."""
    return _is_host(host) is not None and any(_matches(host, name) for name in (*SERVICES, *_more))


def is_path(host: str, path: str) -> bool:
    """Whether a subscription of this push service can have this path."""
    return path.startswith(_PATHS.get(host, ""))


def is_of_sandbox(endpoint: str) -> bool:
    """Whether the sandbox made this endpoint."""
    return bool(_sandbox) and endpoint.startswith(f"{_sandbox}{SANDBOX_PATH}")


def describe() -> str:
    """The services in a clause of a sentence."""
    return ", ".join((*SERVICES, *_more))


def _matches(host: str, name: str) -> bool:
    return host.endswith(name[1:]) if name.startswith("*.") else host == name
