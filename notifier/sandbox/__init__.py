"""Fake services: stand-ins for the providers' servers, which speak the real protocols over TLS.

`python -m notifier.sandbox --dir DIR` starts the sandbox. Tests, the demo and tenants that are not live send to it.
Reading order: `server.py` listens and finds the service of a path; `services/` holds one file for each fake service;
`fake_service.py` is what such a file defines; `state.py` is what the services share: what arrived (`arrivals.py`
counts, `outbox.py` keeps the newest messages whole), faults, tokens, and `callbacks.py`, which reports to our receipts
address; `email_service.py` and `phones.py` are what the fake services of email and of SMS share (magic addresses and
numbers); `push_checks/` and `web_push/` hold what the fake services of push check; `control_api.py` lets tests read and
set that state; `http/` frames HTTP/2 and HTTP/1.1. The sandbox imports nothing of the engine.
"""
