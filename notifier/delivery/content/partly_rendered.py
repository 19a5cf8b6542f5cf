"""One channel's content in one locale, rendered for many recipients. Arming calls it through `templates.Compiled`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, NamedTuple

from notifier.channels import channel
from notifier.delivery.content import rules
from notifier.delivery.content.liquid.text import LiquidText
from notifier.errors import NotifierError
from notifier.vocabulary.content import TenantRules

#: a part is stored as constants and values when it has so many characters of constant text, and not more values
WORTH_DIVIDING, MOST_VALUES = 200, 32
#: characters of a constant that are searched for, and how often
_HEAD, _TRIES = 32, 8


class Locale(NamedTuple):
    """One channel's content in one locale."""

    channel: str
    name: str

    @property
    def field(self) -> str:
        return f"content.{self.channel}.{self.name}"


@dataclass(frozen=True, eq=False)
class PartlyRendered:
    """The parts of one channel and locale for many recipients: the parts that all recipients share are rendered once. A
    value of the part `data` is named `data.<key>`."""

    content: Locale
    tenant_rules: TenantRules
    parts: Mapping[str, Any]  #: None: the part is personal
    personal: tuple[tuple[str, LiquidText], ...]
    broken: NotifierError | None = None  #: why no recipient gets it, unless an earlier part fails otherwise
    free_characters: int = -1  #: see rules.free_characters
    finishes: bool = False  #: the channel changes a personal part after it was rendered
    #: personal part -> the constant texts around its values, for parts that are stored so
    constants: Mapping[str, tuple[str, ...]] = field(default_factory=dict)

    @cached_property
    def shared(self) -> Mapping[str, str | Sequence[str] | None]:
        """The parts as a shard stores them once (campaigns.shard.payload.SharedContent)."""
        divided = {
            part: [constants[0], *chain(*zip(_columns(part, constants), constants[1:], strict=True))]
            for part, constants in self.constants.items()
        }
        return {**self.parts, **divided}

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """The columns of the texts that `render_columns` returns."""
        divided = {part: _columns(part, constants) for part, constants in self.constants.items()}
        return tuple(column for part, _ in self.personal for column in divided.get(part, [part]))

    @cached_property
    def undivided(self) -> PartlyRendered:
        """The same with all personal parts whole."""
        return replace(self, constants={})

    def render_columns(self, variables: dict[str, Any]) -> tuple[PartlyRendered, tuple[str, ...]]:
        """The texts of the columns of `shared`, for one recipient; and the form that has these columns: this one, or
        `undivided` for a text without the constants. Raises as `render`."""
        texts = self.render(variables)
        if not self.constants:
            return self, texts
        columns: list[str] = []
        for (part, _), text in zip(self.personal, texts, strict=True):
            constants = self.constants.get(part)
            values = [text] if constants is None else values_between(constants, text)
            if values is None:
                return self.undivided, texts
            columns += values
        return self, tuple(columns)

    def render(self, variables: dict[str, Any]) -> tuple[str, ...]:
        """The personal parts, in their order. Raises MissingVariables or TemplateFailed."""
        texts = tuple([text.render(variables) for _, text in self.personal])
        if self.finishes:
            texts = self._finish(texts)
        if self.broken is not None:
            # without this, a million raises would add a million frames to the error
            raise self.broken.with_traceback(None)
        if sum(map(len, texts)) > self.free_characters:
            names = (name for name, _ in self.personal)
            parts = rules.nest_parts({**self.parts, **dict(zip(names, texts, strict=True))})
            rules.check(self.content.channel, parts, self.tenant_rules, self.content.field, whole=True)
        return texts

    def _finish(self, texts: tuple[str, ...]) -> tuple[str, ...]:
        named = zip((name for name, _ in self.personal), texts, strict=True)
        return tuple(finish_part(self.content.channel, name, text, self.tenant_rules) for name, text in named)


def is_worth_dividing(constants: Sequence[str]) -> bool:
    return 1 < len(constants) <= MOST_VALUES + 1 and sum(map(len, constants)) >= WORTH_DIVIDING


def values_between(constants: Sequence[str], text: str) -> list[str] | None:
    """The texts between these constants in `text`, so that both together are `text`; None when there are none. 1 µs for
    5 kB and three constants."""
    first, *middle, last = constants
    if not text.startswith(first):
        return None
    values, start = [], len(first)
    for constant in middle:
        end = _find(text, constant, start)
        if end < 0:
            return None
        values.append(text[start:end])
        start = end + len(constant)
    end = len(text) - len(last)
    if end < start or not text.endswith(last):
        return None
    return [*values, text[start:end]]


def _find(text: str, constant: str, start: int) -> int:
    """`text.find(constant, start)`. Python prepares a search for a long text anew each time, 11 µs for 5 kB; a search
    for its beginning and one comparison take 1 µs."""
    if len(constant) <= _HEAD:
        return text.find(constant, start)
    head = constant[:_HEAD]
    for _ in range(_TRIES):
        start = text.find(head, start)
        if start < 0 or text.startswith(constant, start):
            return start
        start += 1
    return text.find(constant, start)  # linear, also for a text that repeats itself


def _columns(part: str, constants: Sequence[str]) -> list[str]:
    return [f"{part}:{number}" for number in range(len(constants) - 1)]


def finish_part(name: str, part: str, text: str, tenant_rules: TenantRules) -> str:
    """The rendered text of a part of channel `name` as it is stored, counted and sent."""
    kind = channel(name)
    return kind.finish(text, tenant_rules) if part in kind.finished else text
