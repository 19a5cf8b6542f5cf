"""Email services over HTTP: every service of django-anymail is a provider of the channel `email`.

`services/` holds one small declaration for each service, `config.py` the settings that all have. `provider.py` is what
services share; `notifier.providers.common.batches` is for those that take many messages in one request. Anymail's
payload classes build the request (`building.py`), our HTTP client sends it, Anymail and `answers.py` say what the
answer means. Anymail's webhook views read what a service reports later (`webhooks.py`, `events.py`).

Only `building.py` and `webhooks.py` use Django, because Anymail takes Django's EmailMessage and HttpRequest. Anymail
and requests are imported with the first message or report of an account. The engine (`notifier.delivery.dispatch`) and
the worker that reads reports (`notifier.delivery.receipts`) call this package through the registry of providers.
"""
