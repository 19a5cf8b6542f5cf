"""The outbox page: a person reads what arrived at the fake services.

`pages.py` answers the page's requests (`notifier.sandbox.server` calls it, on the sandbox's port and on a port without
TLS); `reading.py` takes a message apart; `outbox.html`, `outbox.css` and `outbox.js` are the page. It calls
`notifier.sandbox.outbox` for the messages.
"""
