"""Checks a template's source before it is parsed: refuses what makes python-liquid's regular expressions slow."""

from __future__ import annotations

import re
from collections.abc import Iterator

from notifier.delivery.content.liquid.render_budget import MAX_TEXT
from notifier.errors import InvalidInput

#: `{{ … }}` and `{% … %}` of one text: parsing this number takes 30 ms
MAX_TAGS = 1_000
#: characters of one tag: python-liquid's patterns scan a tag once for each bracket and quote (2,000 of them: 10 ms)
MAX_TAG = 2_000
#: spaces in a row inside of a tag
MAX_SPACES = 200

_OPEN = re.compile(r"\{[{%]")
_VERBATIM = re.compile(r"\{%-?\s{0,200}(raw|doc)\s{0,200}-?%\}")
_END = {name: re.compile(rf"\{{%-?\s{{0,200}}end{name}\s{{0,200}}-?%\}}") for name in ("raw", "doc")}
_SPACES = re.compile(rf"\s{{{MAX_SPACES}}}")


def check_source(source: str) -> None:
    """Raise InvalidInput unless every tag is closed and short. Reads each character a few times at most."""
    if len(source) > MAX_TEXT:
        raise InvalidInput(f"A template part may have {MAX_TEXT} characters.")
    for tags, (start, _) in enumerate(tag_spans(source), 1):
        if tags > MAX_TAGS:
            raise InvalidInput(f"A template part may have {MAX_TAGS} tags.", at=start)


def tag_spans(source: str) -> Iterator[tuple[int, int]]:
    """Where each `{{ … }}` and `{% … %}` begins and ends; `raw` and `doc` with their contents are one. Raises
    InvalidInput."""
    at = 0
    while opening := _OPEN.search(source, at):
        at = _end_of(source, opening.start())
        yield opening.start(), at


def _end_of(source: str, start: int) -> int:
    """The end of the tag that opens at `start`. Raises InvalidInput."""
    if verbatim := _VERBATIM.match(source, start):
        name = verbatim[1]
        end = _END[name].search(source, verbatim.end())
        if end is None:
            raise InvalidInput(f"{{% {name} %}} without {{% end{name} %}}.", at=start)
        return end.end()
    closing = "}}" if source[start + 1] == "{" else "%}"
    end_at = source.find(closing, start + 2, start + 2 + MAX_TAG + 2)
    if end_at < 0:
        shown = source[start : start + 20]
        raise InvalidInput(f"{shown!r} is not closed by {closing} within {MAX_TAG} characters.", at=start)
    if _SPACES.search(source, start, end_at):
        raise InvalidInput(f"A tag may have {MAX_SPACES} spaces in a row.", at=start)
    return end_at + 2
