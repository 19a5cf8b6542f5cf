"""The inbox over HTTP, as `notifier.urls` routes it: with the recipient token, and the demo page.

`base` is what every view is built from. `api` is messages and counters, `push_api` a page's own devices,
`preferences_api` a person's own preferences, `demo_page` the page at /inbox/. They call `inbox.store`, `inbox.tokens`
and `notifier.api`.
"""
