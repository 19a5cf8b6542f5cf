"""Refuses passwords that are long but simple: sequences, rows of the keyboard, one piece repeated."""

from __future__ import annotations

from itertools import pairwise

from django.core.exceptions import ValidationError

from tenants.models import User

#: the fewest characters that do not follow from the one before, and the fewest different characters
MIN_FREE = 8
MIN_DISTINCT = 6
_ROWS = ("qwertyuiop", "qwertzuiop", "asdfghjkl", "zxcvbnm", "yxcvbnm")
_KEYBOARD = {pair for row in _ROWS for a, b in pairwise(row) for pair in (a + b, b + a)}


class NotTooSimple:
    """For AUTH_PASSWORD_VALIDATORS."""

    def validate(self, password: str, user: User | None = None) -> None:
        if is_too_simple(password):
            raise ValidationError(
                "This password is a sequence or repeats itself; use one that is hard to guess.",
                code="password_too_simple",
            )

    def get_help_text(self) -> str:
        return "Your password can’t be a sequence, such as 123456 or qwertz, nor one piece repeated."


def is_too_simple(password: str) -> bool:
    """Whether too few characters were chosen freely."""
    text = password.lower()
    free = sum(not _follows(a, b) for a, b in pairwise(text)) + 1
    repeats = 0 < (text + text).find(text, 1) < len(text)
    return free < MIN_FREE or len(set(text)) < MIN_DISTINCT or repeats


def _follows(before: str, char: str) -> bool:
    return abs(ord(char) - ord(before)) <= 1 or before + char in _KEYBOARD
