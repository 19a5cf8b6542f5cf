"""POST /v1/notifications and /v1/notifications/bulk without Django's handler, its middlewares and DRF.

`notifier.asgi` wraps Django's application in `application.DirectNotifications`. The requests of one tenant that came
meanwhile are accepted and stored in one transaction. What needs anything unusual goes on to the views of
`notifier.api.notifications`, which give the same answers.

application.py   which requests are answered here, and their answers
known_keys.py    the callers of keys, before a body is read
requests.py      a request, as it waits for its group, and what its body asks for
storing.py       one group in one transaction
replays.py       Idempotency-Key, for a group
"""
