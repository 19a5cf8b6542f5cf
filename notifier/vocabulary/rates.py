"""How many requests and recipients a second a tenant, a key or an address may send."""

from __future__ import annotations

from dataclasses import dataclass

#: seconds of its rate that a limit lets through at once
WINDOW = 10


@dataclass(frozen=True, slots=True)
class Rates:
    """A second; None: no limit of its own. A limit is `WINDOW` seconds' worth in any `WINDOW` seconds, so a short burst
    is no harm."""

    requests: int | None = None
    recipients: int | None = None


#: the most that a tenant or key can be given
MOST_PER_SECOND = 1_000_000
