"""The product's ASGI application whose requests wait long for a lease: its tests count what is refused, also where
Redis gets little of the CPU."""

from notifier.asgi import application

from notifier.rates.leasing import leasing  # isort: skip  (after the application, which sets Django up)

leasing.patience = 60.0

__all__ = ["application"]
