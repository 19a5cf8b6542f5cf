"""What web processes measure: how long an acceptance takes, and how late their event loops are.

The reports are in Redis, one field of a hash for each process, by the time of Redis. Losing them loses two of the three
causes of load shedding for as long as Redis is away; the wait of urgent messages is read from PostgreSQL.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import astuple, dataclass

from notifier.delivery.infra import redis

_KEY = "load:web"
#: seconds for which a report counts; a process reports every 2 s
FRESH_SECONDS = 10.0

_WRITE = """
redis.call('HSET', KEYS[1], ARGV[1], redis.call('TIME')[1] .. ' ' .. ARGV[2])
redis.call('EXPIRE', KEYS[1], 60)
"""
# old fields are those of processes that have ended
_READ = f"""
local now, fresh = tonumber(redis.call('TIME')[1]), {{}}
local rows = redis.call('HGETALL', KEYS[1])
for i = 1, #rows, 2 do
  local at, values = string.match(rows[i + 1], '^(%d+) (.*)$')
  if at and now - tonumber(at) <= {FRESH_SECONDS:g} then
    fresh[#fresh + 1] = values
  else
    redis.call('HDEL', KEYS[1], rows[i])
  end
end
return fresh
"""


@dataclass(frozen=True)
class WebReport:
    """What one web process measured in the last ten seconds."""

    #: seconds until a tenant's waiting notifications are stored: the 90th percentile of each tenant, then the median
    #: of the tenants
    accept: float
    #: notifications that were accepted one by one
    requests: int
    #: tenants whose notifications these were
    tenants: int
    #: seconds for which the event loop kept a callback waiting
    loop_lag: float


def write(process: str, report: WebReport) -> None:
    """Store the report of a process. Raises redis.Unavailable."""
    redis.run_script(_WRITE, [_KEY], [process, " ".join(map(str, astuple(report)))])


def read() -> Sequence[WebReport]:
    """The reports that count now; none while Redis is away."""
    try:
        rows: list[bytes] = redis.run_script(_READ, [_KEY])
    except redis.Unavailable:
        return []
    fields = (row.decode().split() for row in rows)
    # a process of another release may report other values
    return [_parsed(*values) for values in fields if len(values) == 4]


def _parsed(accept: str, requests: str, tenants: str, loop_lag: str) -> WebReport:
    return WebReport(float(accept), int(requests), int(tenants), float(loop_lag))
