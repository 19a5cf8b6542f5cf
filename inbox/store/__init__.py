"""The stored messages of inboxes. `inbox.provider`, `inbox.http` and `inbox.live` call this package.

`insert` stores new messages, `feed` lists them and marks them as read; both tell open sockets through `announcements`.
`counters` is pure. `unread` counts for the engine, which must not import the inbox: `inbox.apps` registers it.
"""
