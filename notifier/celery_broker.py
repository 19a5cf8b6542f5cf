"""What Celery's transport for Redis does when Redis does not answer an acknowledgement."""

from __future__ import annotations

from kombu.transport import redis, virtual


class QoS(redis.QoS):
    """A task whose acknowledgement fails counts as acknowledged here.

    Kombu keeps it among the tasks that this worker holds, logs `Couldn't ack`, and goes on with the same connection
    after a timeout: a worker that holds one task at most takes no other until it is started anew. (Seen after Valkey
    was frozen for seconds.) If Redis has not carried the acknowledgement out, the task comes again after the visibility
    timeout, to a worker that finds nothing to do.
    """

    def ack(self, delivery_tag: str) -> None:
        try:
            super().ack(delivery_tag)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise

    def reject(self, delivery_tag: str, requeue: bool = False) -> None:
        try:
            super().reject(delivery_tag, requeue)
        except Exception:
            virtual.QoS.ack(self, delivery_tag)
            raise


def install() -> None:
    """For all channels of this process; those of Sentinel derive from this one."""
    redis.Channel.QoS = QoS
