"""The in-app channel: each recipient has an inbox, read over REST and followed over a WebSocket.

The engine sends through `provider`, which stores with `store`. Tenants' servers, the widget (static/inbox/) and pages
that want pushes (static/push/) call `http`; the widget also connects to `live`. Both read requests with `shapes`.
`tokens` makes and verifies recipient tokens; `tasks` brings back snoozed messages. `inbox` calls the engine's parts and
`tenants`; only `notifier.urls`, `notifier.asgi` and the demo call `inbox`. By delivery id `inbox.store.hooks.attention`
says to fallback routes whether a message was seen (`notifier.delivery.ledger.reports.inbox_seen`), to digests whether
it was read.
"""
