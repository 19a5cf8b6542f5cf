"""The live socket of an open inbox. `notifier.asgi` routes `/v1/inbox/live` to `socket`; `socket` calls `inbox.store`.

Read `socket` (one inbox), `sync_state` (pure: which frame comes next), `frames` and `requests` (what a client sends),
then what all sockets of a process share (`process`): `hellos` verifies tokens, `heartbeats` checks the sockets that are
due, `subscriber` receives the announcements of `inbox.store.announcements`, `registry` finds the sockets of an inbox,
`missed` reads what a client missed, `database` has the threads. `limits` has the figures.
`notifier.web.protocols.unverified_sockets` bounds sockets without a hello.
"""
