"""The live socket of an open inbox. `notifier.asgi` routes `/v1/inbox/live` to `consumers`.

`consumers` reads `inbox.store` and follows its announcements. `requests` reads a client's frames; `sync_state` says
which frame comes next, and is pure. `notifier.web.unverified_sockets` bounds sockets without a hello.
"""
