"""What is known of a message in doubt when its provider's server is asked about it."""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Doubt:
    """A message whose request was written and got no answer, so that no reference of the server names it. The request
    was written between `since` and `until`. `parts`: its content; empty where the content is not kept."""

    delivery_id: uuid.UUID
    address: str = field(repr=False)
    since: datetime
    until: datetime
    parts: Mapping[str, Any] = field(default_factory=dict, repr=False)
