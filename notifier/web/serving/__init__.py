"""How a request over HTTP is answered, within the web server. `notifier.asgi` puts the parts together.

`handler` runs Django in a fixed set of threads (`fair_threads`), `disconnects` ends a request's SQL when its client
leaves, `bodies` reads a body within limits; `admission` decides before that whether the caller may send a large one.
`direct` is what the ASGI applications share that answer without Django (`notifier.api.direct`, `notifier.receipts`),
and `group_commit` stores their calls in groups. `downloads` streams files of admin pages. Read `bodies`, `admission`,
`fair_threads`, `handler`, `disconnects`, then `direct`, `group_commit`.
"""
