"""What a campaign that leaves looks like now, for everybody who watches it: over a WebSocket, or polled.

`notifier.asgi` routes the socket to `consumers`; the admin's page polls `sharing.current` when the socket is lost. Both
call `campaigns.report` (counts) and `tenants.admin` (the session's rights, plots). Read `figures` (pure: from shards to
figures), `reading` (the statements), `sharing` (one computation a second for all watchers), `fragments` (the parts of
the page), `visitors` (who may watch), `consumers`.
"""
