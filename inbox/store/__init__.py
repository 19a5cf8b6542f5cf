"""The stored messages of inboxes. `inbox.provider`, `inbox.http` and `inbox.live` call this package.

`insert` stores new messages (`insert_columns`: those of a campaign), `feed` lists them (with `search`), `changes` is
what a recipient does with them, `snoozes` brings them back; all tell open sockets through `announcements`. `counters`
is pure. `unread` and `attention` answer the engine, which must not import the inbox: `inbox.apps` registers them, with
`erasing` and `exporting`.
"""
