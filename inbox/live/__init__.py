"""The live socket of an open inbox. `notifier.asgi` routes `/v1/inbox/live` to `consumers`.

`consumers` reads `inbox.store` and follows its announcements. `sync_state` decides which frame comes next, and is pure;
`hello_limit` bounds sockets that have not identified themselves.
"""
