"""The line of a route in the explanation of a notification: which step a channel belongs to, and what became of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from notifier.delivery.planning.trace import PASSED, RuleResult
from notifier.delivery.routes.show import CANCELLED, NOT_NEEDED, WAITING
from notifier.values.timestamps import utc_minute
from notifier.vocabulary.status import Reason


def route_lines(steps: Sequence[Mapping[str, Any]]) -> dict[str, RuleResult]:
    """channel -> its line, for the steps of `show_steps`."""
    return {
        name: RuleResult(str(Reason.NOT_NEEDED), _looked_at(step), _said(step), name)
        for step in steps
        for name in step["channels"]
    }


def _looked_at(step: Mapping[str, Any]) -> str:
    condition = f": {step['after']} after the step before, unless it was {step['unless']}" if "after" in step else ""
    return f"step {step['step']} of its route{condition}"


def _said(step: Mapping[str, Any]) -> str:
    at = step.get("leaves_at")
    said = {
        WAITING: f"waits until {utc_minute(at)}" if at is not None else "waits for the steps before it",
        NOT_NEEDED: f"suppressed: {Reason.NOT_NEEDED}",
        CANCELLED: "cancelled",
    }
    return said.get(step["state"], PASSED)
