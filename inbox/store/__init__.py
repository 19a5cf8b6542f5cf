"""The stored messages of inboxes. `inbox.provider`, `inbox.http` and `inbox.live` call this package.

`insert` stores new messages (`insert_columns`: those of a campaign), `changes` is what a recipient does with them,
`snoozes` brings them back: these tell open sockets through `announcements`. `feed` lists messages (with `search`),
`standing` reads where the recipients of open sockets stand. `counters` is pure. `hooks/` answers the engine and
`tenants`, which must not import the inbox. Read `insert`, `feed`, `changes`, `announcements`, then the rest.
"""
