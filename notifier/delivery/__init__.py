"""The engine: accept, plan, render, claim, send, settle, retry, sweep. No web framework, no queue."""

from notifier.delivery.accept import Accepted, AcceptedDelivery, accept
from notifier.delivery.ledger.dead_letters import redrive

__all__ = ["Accepted", "AcceptedDelivery", "accept", "redrive"]
