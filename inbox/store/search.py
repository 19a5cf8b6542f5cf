"""Words in titles and bodies, without regard to case and accents. Pure: this module only writes SQL.

There is no index of words: it would cost each stored message more than all of the rest. A search compares a bounded
number of the recipient's messages instead, and of each the title and the beginning of the body.
"""

from __future__ import annotations

import re
import unicodedata

MAX_QUERY = 200
MAX_WORDS = 10
#: characters of a body that are compared: a body may have a megabyte
BODY = 2_000

_ACCENTS = "\u0300-\u036f"
_TEXT = f"title || ' ' || substr(body, 1, {BODY})"
# normalize() costs 20 times as much as the rest, and most texts need none
_COMPARED = f"""
lower(CASE WHEN octet_length(t) = char_length(t) THEN t
           ELSE regexp_replace(normalize(t, NFKD), '[{_ACCENTS}]+', '', 'g') END)
"""
# one row at least: a page may have no message, and still say where the next one begins
_SEARCH = """
WITH scanned AS MATERIALIZED (SELECT * FROM ({scan}) s ORDER BY seq DESC LIMIT %(scanned)s),
matching AS (
  SELECT {columns} FROM scanned, LATERAL (SELECT {text} AS t) texts, LATERAL (SELECT {compared} AS compared) forms
  WHERE {conditions} ORDER BY seq DESC LIMIT %(most)s)
SELECT {columns}, e.count, e.lowest
FROM (SELECT count(*), min(seq) AS lowest FROM scanned) e LEFT JOIN matching ON true ORDER BY seq DESC
"""


def words_of(q: str) -> list[str]:
    """The different words of a search, in the form in which they are compared."""
    plain = re.sub(f"[{_ACCENTS}]+", "", unicodedata.normalize("NFKD", q)).lower()
    return list(dict.fromkeys(plain.split()))


def statement(scan: str, columns: str, words: int) -> str:
    """SQL: the messages of `scan` that contain all words, with how many messages were compared and the lowest number
    among them. Parameters: `values_of`, `scanned`, `most`, and those of `scan`."""
    conditions = " AND ".join(f"position(%(word{n})s IN compared) > 0" for n in range(words))
    return _SEARCH.format(scan=scan, columns=columns, text=_TEXT, compared=_COMPARED, conditions=conditions)


def values_of(words: list[str]) -> dict[str, str]:
    return {f"word{n}": word for n, word in enumerate(words)}
