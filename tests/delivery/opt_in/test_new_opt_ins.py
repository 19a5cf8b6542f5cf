"""Which changes of a category with double opt-in need a confirmation, and what holds until then."""

from __future__ import annotations

import pytest

from notifier.channels import channels
from notifier.delivery.opt_in.new_opt_ins import Choices, by_category, decide


def choices(text: str) -> Choices:
    """`news -news:sms`: an opt-in, and an opt-out."""
    entries = text.split()
    off = [entry.removeprefix("-") for entry in entries if entry.startswith("-")]
    return by_category(off, [entry for entry in entries if not entry.startswith("-")])["news"]


ALL = " ".join(f"news:{name}" for name in sorted(channels()))

#: stored, asked, what needs a confirmation, what is kept until then
BY_A_SERVER = [
    # narrower or the same
    ("news", "news", "", "news"),
    ("news", "-news:email news:sms news:push", "", "-news:email news:sms news:push"),
    ("news", "-news", "", "-news"),
    ("news", "", "", ""),
    ("news -news:email", "-news:email news:sms news:push", "", "-news:email news:sms news:push"),
    ("news -news:email", "news:sms", "", "news:sms"),
    (ALL, "news", "", "news"),
    ("", "-news", "", "-news"),
    # new
    ("", "news", "news", ""),
    ("", "news:email -news:sms", "news:email", "-news:sms"),
    ("news:email", "news", "news", "news:email"),
    ("news:email news:sms", "-news:email news:sms news:push", "news:push", "-news:email news:sms"),
    ("news:email", "news:push", "news:push", ""),
    # an opt-out ends
    ("news -news:email", "news", "news news:email", "news -news:email"),
    ("news -news:email", "news:email news:sms", "news:email", "news:email news:sms -news:email"),
    ("news:sms -news:email", "news:email news:sms", "news:email", "news:sms -news:email"),
    ("-news", "news", "news", "-news"),
    ("-news", "news:email", "news:email", "-news"),
    ("news -news", "news", "news", "news -news"),
    ("-news:email", "news", "news news:email", "-news:email"),
]
#: the same on the recipient's own page
BY_THE_RECIPIENT = [
    ("", "news:email", "news:email", ""),
    ("news -news:email", "news", "", "news"),
    ("news -news:email", "news:email news:sms", "", "news:email news:sms"),
    ("news:sms -news:email", "news:email news:sms", "news:email", "news:sms -news:email"),
    ("news:sms -news:sms", "news:email news:sms", "news:email", "news:sms"),
    ("-news", "news", "news", "-news"),
    ("news -news", "news", "news", "news -news"),
]


@pytest.mark.parametrize(
    ("stored", "asked", "to_confirm", "kept", "by_recipient"),
    [(*row, False) for row in BY_A_SERVER] + [(*row, True) for row in BY_THE_RECIPIENT],
)
def test_what_needs_a_confirmation_and_what_is_kept(
    stored: str, asked: str, to_confirm: str, kept: str, by_recipient: bool
) -> None:
    decision = decide("news", choices(stored), choices(asked), by_recipient=by_recipient)
    assert (decision.to_confirm, decision.kept) == (to_confirm.split(), choices(kept))
