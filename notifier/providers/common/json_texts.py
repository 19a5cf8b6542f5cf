"""Texts as a JSON string holds them, for the columns of a body template in JSON."""

from __future__ import annotations

from collections.abc import Sequence

import orjson


def json_texts(texts: Sequence[str]) -> list[bytes]:
    """The texts without their quotes. Texts without escapes, such as tokens, take 0.2 µs each."""
    array = orjson.dumps(texts)
    if b"\\" not in array:
        return array[2:-2].split(b'","') if texts else []
    return [orjson.dumps(text)[1:-1] for text in texts]
