"""The web process over raw sockets: the limits on what one client may take of it."""
