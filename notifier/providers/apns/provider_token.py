"""The provider token: an ES256 JWT that says for which team a request speaks.

Apple takes a token for an hour, and refuses a team that renews its token more often than every 20 minutes
(TooManyProviderTokenUpdates). The time of issue is rounded and the signature is deterministic (RFC 6979), so every
worker, and every account of one team and key, makes the same token without talking.

    https://developer.apple.com/documentation/usernotifications/establishing-a-token-based-connection-to-apns
"""

from __future__ import annotations

import time

from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePrivateKey

from notifier.providers.common.es256 import signed_jwt

PERIOD = 1800  #: seconds: a token is 1 to 31 minutes old
#: a token is used this many seconds after its time of issue at first, so that a clock that is fast makes no token of
#: Apple's future
MARGIN = 60


class ProviderToken:
    """The token of one team and key. Threads share it."""

    def __init__(self, key: EllipticCurvePrivateKey, key_id: str, team_id: str) -> None:
        self._key, self._key_id, self._team_id = key, key_id, team_id
        self._current: tuple[int, str] = (0, "")

    def text(self) -> str:
        """The token of now; signing takes 0.1 ms, once in 30 minutes."""
        issued_at = issue_time(time.time())
        current = self._current
        if current[0] != issued_at:
            current = self._current = (issued_at, self._sign(issued_at))
        return current[1]

    def _sign(self, issued_at: int) -> str:
        header = {"kid": self._key_id, "typ": "JWT"}
        return signed_jwt(self._key, header, {"iss": self._team_id, "iat": issued_at})


def issue_time(now: float) -> int:
    """The time of issue of the token that is used at `now`."""
    return int(now - MARGIN) // PERIOD * PERIOD
