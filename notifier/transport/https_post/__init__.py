"""POST to servers of strangers, one request a connection: the address is checked where the connection is made, nothing
is followed, and every part of the answer has a limit. `notifier.webhooks` calls it.

post.py sends one request; loop.py runs many at once beside a thread that blocks.
"""

from notifier.transport.https_post.loop import PostLoop
from notifier.transport.https_post.post import Answer, Limits, PostFailed, Request, post

__all__ = ["Answer", "Limits", "PostFailed", "PostLoop", "Request", "post"]
