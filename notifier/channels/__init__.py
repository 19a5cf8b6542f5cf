"""What a message *is*. One file for each channel; the registry reads every file of this folder on first use.

`base.py` is the contract and the registry, `links.py` the rule about links, `queues.py` the queues of each channel.
Planning, templates, the engine and campaigns call a channel; a channel calls only `notifier.vocabulary`,
`notifier.values` and `notifier.errors`.
"""

from notifier.channels.base import Channel, channel, channels

__all__ = ["Channel", "channel", "channels"]
