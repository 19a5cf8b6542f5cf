"""The home page: cards that each app registers in `AppConfig.ready`, so that no lower app names a higher one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest


@dataclass(frozen=True)
class Card:
    """A card of the home page. `load` returns the context of `template`, or None when there is nothing to show; it may
    run two queries. `wide`: the card takes the whole width."""

    key: str
    rank: int
    template: str
    load: Callable[[HttpRequest], Mapping[str, Any] | None]
    wide: bool = False


@dataclass(frozen=True)
class LoadedCard:
    key: str
    template: str
    wide: bool
    context: Mapping[str, Any]


_cards: dict[str, Card] = {}


def register_card(card: Card) -> None:
    _cards[card.key] = card


def load_cards(request: HttpRequest) -> list[LoadedCard]:
    """The cards that have something to show, in the order of their ranks."""
    cards = sorted(_cards.values(), key=lambda card: (card.rank, card.key))
    loaded = ((card, card.load(request)) for card in cards)
    return [LoadedCard(card.key, card.template, card.wide, context) for card, context in loaded if context is not None]
