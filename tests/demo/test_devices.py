"""The push tokens of the demo's recipients."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

from notifier.demo.devices import MIX, NO_TOKEN, Tokens, platform_of
from notifier.demo.people import write_csv
from notifier.providers import providers

BROWSERS = [f"https://fcm.googleapis.com/wp/s{n}#key.secret" for n in range(100)]


def test_the_mix_is_what_the_demo_prints() -> None:
    assert Counter(platform_of(n) for n in range(100)) == MIX


def test_every_run_makes_the_same_devices(tmp_path: Path) -> None:
    files = [tmp_path / "one.csv", tmp_path / "two.csv"]
    counts = [write_csv(file, 1_000, Tokens(BROWSERS)) for file in files]
    assert files[0].read_text() == files[1].read_text()
    assert counts[0] == counts[1] and set(counts[0]) == set(MIX)


def test_recipient_0_has_a_phone_and_some_have_none() -> None:
    tokens = Tokens([])
    assert tokens.token(0, 0, 99).platform == "fcm"
    assert tokens.token(1, 0, 0) == NO_TOKEN
    assert tokens.token(1, 3, 0).text.startswith("unregistered-")
    assert tokens.token(1, 3, 80).text.startswith("fff41000")
    assert tokens.token(1, 50, 99).platform == "fcm"  # no browser is left


def test_providers_take_the_tokens() -> None:
    generator = random.Random(1)
    tokens = Tokens([])
    kinds = {kind.platform: kind for kind in providers().values() if kind.channel == "push"}
    for number in range(200):
        token = tokens.token(number, generator.randrange(100), generator.randrange(95))
        if token.text:
            assert kinds[token.platform].check_token(token.text) == token.text
