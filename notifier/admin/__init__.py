"""The engine's own admin pages: templates, provider accounts, the ledger. They register themselves."""

from notifier.admin import accounts, content, ledger

__all__ = ["accounts", "content", "ledger"]
