"""When a provider's server wants the next request: the headers of a 429 or a 503."""

from __future__ import annotations

import time
from email.utils import parsedate_to_datetime

from notifier.vocabulary.http import Response

SHORTEST, LONGEST = 1.0, 3600.0  #: seconds
UNIX_TIME_DIGITS = 10


def retry_after(response: Response, reset: str = "") -> float | None:
    """Retry-After in seconds, from seconds or an HTTP date (RFC 9110 §10.2.3), between a second and an hour. `reset`: a
    header of the provider's own instead, in seconds or as the Unix time. None: the server gives no
    time that can be read."""
    value = response.headers.get("retry-after", "").strip()
    try:
        if value:
            seconds = float(value) if value.replace(".", "", 1).isdigit() else _until(value)
        elif reset and (at := response.headers.get(reset, "").strip()).isdigit():
            seconds = float(at) - time.time() if len(at) >= UNIX_TIME_DIGITS else float(at)
        else:
            return None
    except (ValueError, TypeError):
        return None
    return max(SHORTEST, min(seconds, LONGEST))


def _until(date: str) -> float:
    return parsedate_to_datetime(date).timestamp() - time.time()
