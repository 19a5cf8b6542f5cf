"""The web process over raw sockets: what nobody may take of it."""
