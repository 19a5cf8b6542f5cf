"""Web Push: messages to browsers through their push services (RFC 8030, 8188, 8291, 8292).

The engine calls `provider.WebPush` through the registry of providers; nothing here does I/O. Reading order:
`subscription.py` (what a token is), `services.py` (which hosts a token may name), `encryption.py` (the body),
`vapid.py` (the authorization), `payload.py` (what the service worker reads), `config.py` (an account's settings),
`provider.py` (the request), `verdicts.py` (the answer).
"""
