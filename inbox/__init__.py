"""The in-app channel: each recipient has an inbox, read over REST and followed over a WebSocket.

The engine sends through `provider`, which stores with `store`; both tell open sockets through `announcements`. Tenants'
servers and the widget (static/inbox/) call `api`; the widget also connects to `consumers`. Pages that want pushes
(static/push/) call `push_api`. `views` is the demo page. The engine counts the unread messages of recipients with
`unread`. Below them: `feed` reads an inbox and marks messages as read, `tokens` makes and verifies recipient tokens,
`counters` and `sync_state` are pure, `hello_limit` bounds sockets that have not identified themselves. `inbox` calls
the engine's parts and `tenants`; only `notifier.urls`, `notifier.asgi` and the demo call `inbox`.
"""
