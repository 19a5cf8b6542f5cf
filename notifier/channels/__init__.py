"""What a message *is*. One file for each channel; the registry reads every file of this folder on first use.

`base.py` is the contract and the registry, `links.py` the rule about links, `queues.py` the queues of each channel.
Planning, templates, the engine and campaigns ask a channel; a channel asks nothing but `notifier.values`.
"""

from notifier.channels.base import Channel, channel, channels

__all__ = ["Channel", "channel", "channels"]
