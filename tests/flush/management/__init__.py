"""The command that replaces Django's `flush`."""
