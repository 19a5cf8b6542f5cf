"""What PostgreSQL can store in a text or jsonb column: no U+0000, and no half of a surrogate pair.

One rule for the API, files, the admin, rendered messages and the answers of providers.
"""

from __future__ import annotations

from typing import NamedTuple

from notifier.errors import InvalidInput

NUL = "\0"


class Fault(NamedTuple):
    """Why a text cannot be stored."""

    code: str  #: of the error in the API
    character: str  #: such as "the character U+0000"


_NUL = Fault("null_character", "the character U+0000")
_SURROGATE = Fault("lone_surrogate", "half of a surrogate pair")


def fault_of(text: str) -> Fault | None:
    """Why PostgreSQL cannot store `text`; None when it can. 0.1 µs for a text without a fault."""
    if NUL in text:
        return _NUL
    try:
        text.encode()
    except UnicodeEncodeError:
        return _SURROGATE
    return None


def is_storable(text: str) -> bool:
    """Whether PostgreSQL can store `text`. 0.06 µs for ASCII."""
    return NUL not in text and (text.isascii() or fault_of(text) is None)


def check_storable(text: str, field: str | None) -> None:
    """Raise InvalidInput, naming the field, unless PostgreSQL can store `text`."""
    if fault := fault_of(text):
        raise InvalidInput(f"A text holds {fault.character}.", field=field, code=fault.code)


def cleaned(text: str) -> str:
    """`text` without the characters that PostgreSQL cannot store."""
    return text.encode(errors="ignore").decode().replace(NUL, "")


def escaped(text: str) -> str:
    """`text` with those characters written out, such as \\\\u0000, so that an error can name it."""
    return text.encode(errors="backslashreplace").decode().replace(NUL, "\\u0000")
