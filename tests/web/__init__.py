"""The web process: over raw sockets, the limits on what one client may take of it; and the pages that messages lead to,
the status page, the direct way of notifications, the read replica."""
