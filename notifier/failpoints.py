"""Places at which a process can be told to die at once, as by `kill -9`: around every commit, and around every request
to a provider. Tests of what is lost use them; the setting is NOTIFIER_FAILPOINT.

`AppConfig.ready` arms the point of the setting, in debug mode or where FAILPOINTS_ALLOWED is set. Without one, `reach`
is a function without a body: 18 ns a call, with the look-up (`python -m timeit -p`), and a chunk of 500 messages makes
three such calls.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from itertools import count
from types import MappingProxyType
from typing import NoReturn

#: the exit code of a process that died here
EXIT_CODE = 9

#: name -> what is done and what is not when the process dies there. A commit of several steps has several points
POINTS: Mapping[str, str] = MappingProxyType(
    {
        "accept.before-commit": "the rows of a request, or of a group of them, are written and not committed",
        "accept.before-wakeup": "a request is committed, and no worker was woken",
        "direct.before-commit": "a group of the direct path is written with its idempotency keys, and not committed",
        "direct.before-answer": "a group of the direct path is committed, and its callers have no answer",
        "view.before-commit": "a view has done a POST, and nothing is committed",
        "view.before-answer": "a POST of a view is committed, and its caller has no answer",
        "send.after-claim": "single messages are claimed; where a claim begins them, they have begun",
        "send.before-request": "single messages have begun, and no request is written",
        "send.before-settle": "the provider has answered single messages, and no outcome is written",
        "settle.before-commit": "outcomes are known, and not committed",
        "settle.after-commit": "outcomes are committed, but for those of a shard's transaction around them",
        "shard.after-claim": "a shard is claimed, and nothing of it has begun",
        "shard.before-request": "a chunk has begun, and no request of it is written",
        "shard.between-chunks": "the transport has a chunk, and the next one has not begun",
        "shard.before-commit": "the provider has answered messages of a shard, and no outcome is written",
        "shard.before-release": "every message of a shard is answered, and the shard still has its lease",
        "shard.after-release": "a shard is done, and nobody has looked whether its campaign is",
        "arming.before-commit": "an audience range is written, and not committed",
        "arming.after-range": "an audience range is committed, and the next one is not armed",
        "go.before-commit": "a campaign is launched, and the launch is not committed",
        "go.before-fanout": "the launch is committed, and no shard is on the queue",
        "fanout.before-chord": "the shards of a chord are read, and not on the queue",
        "finish.before-accounting": "a campaign is finished, and no task accounts for it",
        "account.before-commit": "the outcomes of a shard are copied into the ledger, and not committed",
        "account.before-close": "every shard is accounted for, and the campaign is not closed",
        "receipts.before-wakeup": "a provider's call is stored, and no worker was woken",
        "receipts.before-apply": "a provider's calls are claimed and read, and nothing of them is applied",
        "receipts.before-commit": "a provider's events are applied, and not committed",
        "digests.before-commit": "due digests are closed, and not committed",
        "routes.before-commit": "the steps of due routes are decided, and not committed",
    }
)


def names() -> tuple[str, ...]:
    """The names of all points."""
    return tuple(POINTS)


def _pass_by(name: str) -> None:
    """No point is armed."""


#: call it as `failpoints.reach(name)`, so that the call sees what `arm` has bound
reach: Callable[[str], None] = _pass_by


def arm(setting: str) -> None:
    """Let this process die where the setting says: `<name>` or `<name>:<nth time>`; nowhere for an empty one. Raises
    ValueError for a point that does not exist: a test of it would pass without a crash."""
    global reach
    if not setting:
        reach = _pass_by
        return
    name, _, nth = setting.partition(":")
    if name not in POINTS or not (nth or "1").isdecimal() or int(nth or "1") < 1:
        raise ValueError(f"NOTIFIER_FAILPOINT is {setting!r}; it is <name>[:<nth time>], of {', '.join(POINTS)}.")
    times, last = count(1), int(nth or "1")

    def die_at(reached: str) -> None:
        if reached == name and next(times) == last:
            _die(name)

    reach = die_at


def _die(name: str) -> NoReturn:
    os.write(2, f"failpoint {name}: this process ends\n".encode())
    os._exit(EXIT_CODE)
