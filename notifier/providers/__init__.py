"""How a message *leaves*. One file for each provider; no Django, no I/O.

`base.py` is the contract; `registry.py` reads every file of this folder on first use. Providers that share
their mechanism are a package (`anymail/`, `ses/`). `body_template.py` makes the bodies of a campaign's requests,
`mime/` an email as bytes, and `common/` has what several providers need. The engine (`notifier.delivery.dispatch`) and
campaigns (`campaigns.sending`) call providers; a provider calls the HTTP client that it is given.
"""

from notifier.providers.base import Provider
from notifier.providers.registry import provider_class, providers, token_checks

__all__ = ["Provider", "provider_class", "providers", "token_checks"]
