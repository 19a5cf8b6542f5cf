"""Header fields as bytes, without Huffman's code and without the header table (RFC 7541)."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

SIZES_KEPT = 4_096
V = TypeVar("V")


class BySize(dict[int, V]):
    """Size -> what `encode` makes of it, made when it is first needed. `map(by_size.__getitem__, sizes)` runs no line
    of Python."""

    def __init__(self, encode: Callable[[int], V]) -> None:
        self._encode = encode

    def __missing__(self, size: int) -> V:
        if len(self) >= SIZES_KEPT:
            self.clear()
        self[size] = encoded = self._encode(size)
        return encoded


def integer(value: int, bits: int = 7, first: int = 0) -> bytes:
    """An integer with a prefix of `bits` bits (RFC 7541 §5.1). `first`: the bits before it."""
    largest = (1 << bits) - 1
    if value < largest:
        return bytes((first | value,))
    out, value = bytearray((first | largest,)), value - largest
    while value >= 128:
        out.append(value % 128 + 128)
        value //= 128
    out.append(value)
    return bytes(out)


def path_start(size: int) -> bytes:
    """A literal :path without indexing (§6.2.2, static name 4), up to its value of `size` bytes."""
    return b"\x04" + integer(size)


def length_literal(size: int) -> bytes:
    """A literal content-length without indexing (static name 28)."""
    digits = b"%d" % size
    return b"\x0f\x0d" + integer(len(digits)) + digits


def own_start(name: bytes, size: int) -> bytes:
    """A literal field that is never indexed (§6.2.3), up to its value of `size` bytes."""
    return b"\x10" + integer(len(name)) + name + integer(size)


def size_update(size: int) -> bytes:
    """The size of the header table (§6.3)."""
    return integer(size, 5, 0x20)
