"""What the fake services of SMS share. A number decides what becomes of its messages, as Twilio's magic numbers do.

A number +1 500 555 xxNN is magic: its last two digits NN choose (Twilio's own magic numbers are those of xx = 00).
Every other number gets its messages.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping

MAGIC = "+1500555"
KEPT, LISTED = 100_000, 1_000

#: digits -> the answer to the request
REFUSED = {
    "01": "invalid",
    "02": "unroutable",
    "03": "region",
    "04": "opted_out",
    "09": "no_mobile",
    "20": "throttled",
    "50": "internal",
    "53": "unavailable",
}
#: digits -> what happens after the message was taken
BROKEN = {"60": "hangup", "61": "slow"}
#: digits -> what becomes of the accepted message; "delivered" for every other number
FATES = {"33": "unreachable", "34": "blocked", "35": "unknown_handset", "36": "landline", "37": "filtered"}


class Phones:
    """The people who got an SMS, and how each of them answers the service that sent it."""

    def __init__(self) -> None:
        self._answers: dict[str, Callable[[str], None]] = {}
        #: the newest messages, as a service lists them
        self.listed: deque[Mapping[str, object]] = deque(maxlen=LISTED)

    def reset(self) -> None:
        self._answers.clear()
        self.listed.clear()

    def remember(self, number: str, answer: Callable[[str], None]) -> None:
        """`answer` hands a text of this number's owner to the service that sent the newest message to the number."""
        if len(self._answers) < KEPT or number in self._answers:
            self._answers[number] = answer

    def answer(self, number: str, text: str) -> bool:
        """Whether the number got a message that its owner can answer."""
        if (answer := self._answers.get(number)) is None:
            return False
        answer(text)
        return True


def magic(number: str) -> str:
    """The word that this number chooses; empty for a number that gets its messages."""
    if not number.startswith(MAGIC) or len(number) != len(MAGIC) + 4:
        return ""
    digits = number[-2:]
    return REFUSED.get(digits) or BROKEN.get(digits) or FATES.get(digits) or ""
