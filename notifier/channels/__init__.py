"""What a message *is*. One file a channel; importing this package registers them all."""

from notifier.channels.base import Channel, channel, channels

__all__ = ["Channel", "channel", "channels"]
