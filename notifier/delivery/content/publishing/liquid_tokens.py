"""Liquid inside of HTML or MJML: each tag becomes a token that HTML libraries keep, and the tag again afterwards.

Between elements a token is a comment (`<!--lqc3qt-->`), because parsers move a text out of a table. Inside of
attributes, titles, styles and comments a token is a word (`lqc3q`).
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from notifier.delivery.content.liquid.source import tag_spans
from notifier.delivery.content.publishing.html_scan import Context, Stretch, stretches
from notifier.errors import InvalidInput


@dataclass(frozen=True)
class Tokens:
    """The Liquid tags of one source, and the word that begins their tokens: `lqo3q` for the fourth tag, an output, and
    `lqc3q` for any other tag."""

    prefix: str
    tags: tuple[str, ...]

    def token(self, number: int) -> str:
        return f"{self.prefix}{'o' if self.tags[number].startswith('{{') else 'c'}{number}q"

    @property
    def any_token(self) -> str:
        """A pattern; its group is the number."""
        return rf"{self.prefix}[oc](\d+)q"

    def restore(self, text: str) -> str:
        """`text` with the tags in place of their tokens, wherever a library put these."""
        token = self.any_token
        return re.sub(rf"<!--{token}t-->|{token}", lambda found: self.tags[int(found[1] or found[2])], text)

    def missing(self, text: str) -> list[str]:
        """The tags whose tokens `text` has lost."""
        kept = {int(number) for number in re.findall(self.any_token, text)}
        return [tag for number, tag in enumerate(self.tags) if number not in kept]


def protect(source: str, *, bare_outputs: bool = False) -> tuple[str, Tokens]:
    """The source with tokens in place of its Liquid tags. `bare_outputs`: outputs are words also between elements.
    Raises InvalidInput for a tag where no token survives."""
    words, tokens = words_for_tags(source)
    pieces: list[str] = []
    token = re.compile(tokens.any_token)
    for stretch in stretches(words):
        text = words[stretch.start : stretch.end]
        if tokens.prefix in text:
            if stretch.context is Context.TEXT:
                text = token.sub(lambda found: _between_elements(found[0], tokens, bare_outputs), text)
            else:
                _check(words, stretch, token, tokens)
        pieces.append(text)
    return "".join(pieces), tokens


def words_for_tags(source: str) -> tuple[str, Tokens]:
    """The source with a word in place of each Liquid tag."""
    prefix = "lq"
    while prefix in source.lower():
        prefix += "x"
    spans = list(tag_spans(source))
    tokens = Tokens(prefix, tuple(source[start:end] for start, end in spans))
    pieces, at = [], 0
    for number, (start, end) in enumerate(spans):
        pieces += [source[at:start], tokens.token(number)]
        at = end
    return "".join([*pieces, source[at:]]), tokens


def _between_elements(token: str, tokens: Tokens, bare_outputs: bool) -> str:
    is_output = token[len(tokens.prefix)] == "o"
    return token if is_output and bare_outputs else f"<!--{token}t-->"


def _check(words: str, stretch: Stretch, token: re.Pattern[str], tokens: Tokens) -> None:
    for found in token.finditer(words, stretch.start, stretch.end):
        tag = tokens.tags[int(found[1])]
        if stretch.context is Context.TAG and words[found.start() - 1] != "=":
            raise InvalidInput(
                f"{tag[:80]} stands inside of an HTML tag. Put it into the value of an attribute, in quotes:"
                ' class="{% if vip %}gold{% endif %}".'
            )
        if stretch.context is Context.STYLE and not tag.startswith("{{"):
            raise InvalidInput(
                f"{tag[:80]} stands in a style sheet, where only {{{{ … }}}} may stand, as a value. Put the condition"
                " into the style attribute of an element."
            )
