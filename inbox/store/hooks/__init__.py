"""What the engine and `tenants`, which must not import the inbox, ask of the stored messages.

`inbox.apps` registers these functions: `attention` (which messages were seen or read, for routes and digests), `unread`
(counts for badges), `ending` (old messages go), `erasing` and `exporting` (of one person). Each file can be read by
itself.
"""
