"""How a message *leaves*. One file a provider; no Django, no I/O. Importing this package registers them all."""

from notifier.providers.base import Provider, platforms, provider_class, providers

__all__ = ["Provider", "platforms", "provider_class", "providers"]
