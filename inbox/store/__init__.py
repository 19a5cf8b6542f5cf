"""The stored messages of inboxes. `inbox.provider`, `inbox.http` and `inbox.live` call this package.

`insert` stores new messages (`insert_columns`: those of a campaign), `feed` lists them (with `search`), `changes` is
what a recipient does with them, `snoozes` brings them back; all tell open sockets through `announcements`. `counters`
is pure. `hooks/` answers the engine and `tenants`, which must not import the inbox.
"""
