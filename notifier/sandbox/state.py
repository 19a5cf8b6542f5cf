"""The state that all fake services share: what arrived, the faults that are set, issued access tokens, callbacks,
the people who answer an SMS, the browsers that get pushes."""

from __future__ import annotations

import secrets
import time
from collections import Counter
from dataclasses import dataclass, field

from cryptography.hazmat.primitives.asymmetric import rsa

from notifier.sandbox.arrivals import Arrivals
from notifier.sandbox.callbacks import Callbacks
from notifier.sandbox.faults import Faults
from notifier.sandbox.outbox import Outbox
from notifier.sandbox.phones import Phones
from notifier.sandbox.web_push.browsers import Browsers


class AccessTokens:
    """The access tokens that a token endpoint of the sandbox issued."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        self._expires_at: dict[str, float] = {}
        self.grants = Counter[str]()  #: `granted` and `refused`

    def issue(self) -> tuple[str, int]:
        """A new token and its life in seconds."""
        now, life = time.time(), self._faults.token_seconds
        self._expires_at = {token: end for token, end in self._expires_at.items() if end > now}
        token = f"ya29.sandbox-{secrets.token_urlsafe(24)}"
        self._expires_at[token] = now + life
        return token, life

    def is_valid(self, token: str) -> bool:
        """Whether the sandbox issued this token and the token has not expired."""
        return self._expires_at.get(token, 0.0) > time.time() and not self._faults.reject_auth


@dataclass
class SandboxState:
    """`url`: the sandbox's own address. `account_key`: the public key of the demo service account. `outbox_url`: the
    outbox page for a browser."""

    url: str
    account_key: rsa.RSAPublicKey
    outbox_url: str = ""
    faults: Faults = field(default_factory=Faults)
    arrivals: Arrivals = field(default_factory=Arrivals)
    outbox: Outbox = field(default_factory=Outbox)
    callbacks: Callbacks = field(default_factory=Callbacks)
    phones: Phones = field(default_factory=Phones)
    browsers: Browsers = field(default_factory=Browsers)
    connections: int = 0  #: open now
    #: what a service counts beside its messages, by a text of its own
    counters: Counter[str] = field(default_factory=Counter)

    def __post_init__(self) -> None:
        self.tokens = AccessTokens(self.faults)

    def reset(self) -> None:
        """Forget what arrived and set every fault back to its default. Issued tokens stay valid."""
        self.arrivals.reset()
        self.outbox.reset()
        self.callbacks.reset()
        self.phones.reset()
        self.browsers.reset()
        self.tokens.grants.clear()
        self.counters.clear()
        self.faults.reset()
        self.callbacks.repeats = 0
