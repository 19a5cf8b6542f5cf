"""Removes spaces and invisible characters at the edges of a text: one rule for files, the API and the admin."""

from __future__ import annotations

_SPACES = "\t\n\x0b\x0c\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000"
#: soft hyphen, joiners and zero-width spaces, direction marks, word joiners, and the byte order mark. Tags (U+E0020 to
#: U+E007F) are invisible, too, but they are the end of some flags
_INVISIBLE = "\xad\u034f\u061c\u180e\u200b-\u200f\u202a-\u202e\u2060-\u2064\u2066-\u206f\ufeff"


def _expand(ranges: str) -> str:
    """Every character of ranges such as `a-c`."""
    expanded: list[str] = []
    characters = iter(ranges)
    for character in characters:
        if character == "-":
            expanded += map(chr, range(ord(expanded[-1]) + 1, ord(next(characters)) + 1))
        else:
            expanded.append(character)
    return "".join(expanded)


EDGES = _expand(_SPACES + _INVISIBLE)


def trimmed(text: str) -> str:
    """`text` without spaces and invisible characters at its edges, so that `ann` and `ann\\u200b` are one person."""
    # 0.1 µs for a text without such characters
    return text.strip(EDGES)
