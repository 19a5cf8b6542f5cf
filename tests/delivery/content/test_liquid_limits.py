"""No template uses more than its share of memory and processor time."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from copy import deepcopy
from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from liquid import Environment
from liquid.ast import Node

from notifier.delivery.content.liquid import tree
from notifier.delivery.content.liquid.filters import FILTERS, OWN_FILTERS
from notifier.delivery.content.liquid.render_budget import MAX_SECONDS, MAX_TEXT, Budget, LimitExceeded, shared_budget
from notifier.delivery.content.liquid.text import ENVIRONMENT, TAGS, LiquidText
from notifier.errors import InvalidInput, TemplateFailed

#: processor time, which other load hardly changes: the budget, and one more step of the slowest kind
MOST_SECONDS = 5 * MAX_SECONDS
MOST_KIB = 64 * 1024
BIG = "a" * 60_000
DATA = {
    "x": BIG, "y": "&" * 60_000, "words": ["word"] * 9_000, "rows": [{"id": n, "name": f"n{n}"} for n in range(1_500)],
    "n": 7, "html": "<!--" * 15_000, "spaces": " " * 60_000,
}  # fmt: skip

HOSTILE = {
    "a range of millions, reversed": "{{ (1..6000000) | reverse }}",
    "a range of millions, counted": "{{ (1..6000000) | size }}",
    "a range of billions, joined": "{{ (1..9000000000) | join: x }}",
    "something in a range of millions": "{% if (1..60000000) contains 'x' %}y{% endif %}",
    "the first of a range of millions": "{% assign a = (1..60000000) %}{{ a.first }}{{ a.last }}",
    "a loop over a range of millions, backwards": "{% for i in (1..60000000) reversed limit: 1 %}{{ i }}{% endfor %}",
    "a table of millions": "{% tablerow i in (1..60000000) %}{% endtablerow %}",
    "thousands of filters in a row": "{{ x" + " | upcase" * 7_000 + " }}",
    "escape_once again and again": "{{ y" + " | escape_once | escape" * 14 + " }}",
    "sort again and again": "{% for i in (1..9000) %}{% assign a = words | sort %}{% endfor %}",
    "uniq of thousands": "{{ words | uniq }}",
    "a thousand loops that do nothing": "{% for i in (1..9999) %}{% endfor %}" * 499,
    "loops in loops": "{% for i in (1..100) %}{% for j in (1..100) %}{{ x }}{% endfor %}{% endfor %}",
    "captures in a loop": "{% for i in (1..9999) %}{% capture a %}{{ x }}{% endcapture %}{% endfor %}",
    "a list that doubles": "{% assign a = words %}{% for i in (1..30) %}{% assign a = a | concat: a %}{% endfor %}",
    "a text that doubles": "{% assign a = 'ab' %}{% for i in (1..99) %}{% assign a = a | append: a %}{% endfor %}",
    "a number that squares itself": "{% assign a = 9 %}{% for i in (1..99) %}{% assign a = a | times: a %}{% endfor %}",
    "replace with itself": "{{ x | replace: 'a', x }}",
    "replace nothing with something large": "{{ x | replace: '', x }}",
    "join with something large": "{{ words | join: x }}",
    "an endless time format": "{{ 'now' | date: x }}",
    "a date of sixty thousand digits": "{{ spaces | date: '%Y' }}",
    "broken HTML": "{{ html | strip_html }}",
    "cycles of everything": "{% for i in (1..9999) %}{% cycle rows, rows, rows, words, x %}{% endfor %}",
    "everything compared with everything": "{% for i in (1..9999) %}{% if rows == rows %}{% endif %}{% endfor %}",
    "objects in texts": "{% for i in (1..9999) %}{% if x contains rows %}{% endif %}{% endfor %}",
    "ifchanged of much": "{% for i in (1..9999) %}{% ifchanged %}{{ x }}{{ i }}{% endifchanged %}{% endfor %}",
    "a thousand variables": "".join(f"{{% assign a{n} = x | append: '{n}' %}}" for n in range(999)),
    "unclosed tags in a comment": "{% comment %}" + "{%a" * 20_000,
    "raw without an end": "{% raw %}" * 7_000,
    "spaces in a tag": "{{" + " " * 60_000 + "}}",
    "brackets in a tag": "{% if " + "(" * 1_900 + "1..2 %}x{% endif %}",
    "quotes and brackets": "{{ a" + '["b"' * 400 + " }}",
    "one condition after another": "{% if " + "n or " * 380 + "n %}x{% endif %}",
    "names in names": "{{ " + "a[" * 900 + "b" + "]" * 900 + " }}",
    "objects printed": "{% for i in (1..9999) %}{{ rows }}{% endfor %}",
}


@pytest.fixture(scope="module")
def measured() -> dict[str, dict[str, Any]]:
    return dict(zip(HOSTILE, in_a_process([(source, DATA) for source in HOSTILE.values()]), strict=True))


def in_a_process(cases: Sequence[tuple[str, Any]]) -> list[dict[str, Any]]:
    done = subprocess.run(
        [sys.executable, "-m", "tests.delivery.content.hostile_templates"],
        input=orjson.dumps(cases),
        capture_output=True,
        cwd=Path(__file__).parents[3],
        check=True,
        timeout=300,
    )
    return list(orjson.loads(done.stdout))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_template_uses_little_and_the_error_says_why(name: str, measured: dict[str, dict[str, Any]]) -> None:
    took = measured[name]
    assert took["seconds"] < MOST_SECONDS, took
    assert took["kib"] < MOST_KIB, took
    assert "memory" not in took["outcome"]
    assert took["outcome"] == "" or "characters" in took["outcome"] or len(took["outcome"]) > 10


# ---- every filter and tag is listed ------------------------------------------------------------------------------


def test_every_filter_and_tag_of_python_liquid_is_listed() -> None:
    """A newer python-liquid may have more: add each to FILTERS or TAGS, or say here that tenants do not get it."""
    original = Environment()
    assert set(original.filters) | set(OWN_FILTERS) == set(FILTERS) == set(ENVIRONMENT.filters)
    pseudo = {"content", "output", "illegal"}
    assert set(original.tags) - pseudo - {"include", "render"} == TAGS == set(ENVIRONMENT.tags) - pseudo


ARGUMENTS: dict[str, tuple[Any, ...]] = {
    **dict.fromkeys(("append", "prepend", "remove", "remove_first", "remove_last", "split"), ("aab",)),
    **dict.fromkeys(("replace", "replace_first", "replace_last"), ("aab", "b")),
    **dict.fromkeys(("find", "find_index", "has", "map", "reject", "where"), ("name",)),
    **dict.fromkeys(("at_least", "at_most", "divided_by", "minus", "modulo", "plus", "times"), (7,)),
    "concat": ([1, 2],), "date": ("%c%c%c%c",), "join": (", ",), "slice": (0, 60_000),
}  # fmt: skip
LARGEST: list[Any] = [
    piece * (MAX_TEXT // len(piece) - 10)
    for piece in (
        "a", "&", " ", "x ", "\n", "%", "%41", "<", "<>", "<!--", "<a b='", "</a", "&#x", "&" + "a" * 31, "ß", "😀",
    )
]  # fmt: skip
LARGEST += [["word"] * 9_000, [{"name": n} for n in range(3_000)], list(range(9_999)), range(9_999), 10**70]


@pytest.mark.parametrize("name", sorted(FILTERS))
def test_a_filter_needs_little_time_for_its_largest_input(name: str) -> None:
    """At most one filter runs between two checks of the clock."""
    for value in LARGEST:
        for part in sizes(name, value):
            # a rendering that other load slows down is not slow three times
            assert any(seconds_of(name, part) < MAX_SECONDS for _ in range(3)), (name, str(part)[:20])


def sizes(name: str, value: Any) -> list[Any]:
    """The value, and as much of it as the filter accepts."""
    limits = FILTERS[name]
    if isinstance(value, str):
        return [value, value[: limits.longest - 300], value[:180]]
    return [value, value[: limits.items]] if isinstance(value, list) else [value]


def seconds_of(name: str, value: Any) -> float:
    expression = ", ".join(f"arg{n}" for n in range(len(ARGUMENTS.get(name, ()))))
    text = LiquidText(f"{{% assign a = value | {name}{':' if expression else ''} {expression} %}}")
    variables = {"value": value, **{f"arg{n}": arg for n, arg in enumerate(ARGUMENTS.get(name, ()))}}
    began = time.thread_time()
    try:
        text.render(variables)
    except InvalidInput as error:
        assert "memory" not in error.message
    return time.thread_time() - began


SOURCES = [
    "{{ a }}{% echo a %}{% assign b = a | append: 'x' %}{% capture c %}x{% endcapture %}",
    "{% case a %}{% when 1, 2 %}x{% else %}y{% endcase %}{% unless a %}z{% elsif b %}{% endunless %}",
    "{% for i in a limit: 2 %}{% cycle 'a', 'b' %}{% break %}{% else %}x{% endfor %}",
    "{% tablerow i in (1..3) cols: 2 %}{% continue %}{% endtablerow %}{% increment d %}{% decrement e %}",
    "{% if a == 1 and b != nil or c contains 'x' %}{% ifchanged %}x{% endifchanged %}{% elsif a < 1.5 %}{% endif %}",
    "{% liquid assign x = 1\necho x %}{% comment %}x{% endcomment %}{% # note %}{% doc %}x{% enddoc %}",
]


@pytest.mark.parametrize("source", SOURCES)
def test_every_node_of_a_template_pays_the_budget(source: str) -> None:
    nodes = ENVIRONMENT.from_string(source).nodes
    tree.restrict(nodes)
    left: list[Any] = list(nodes)
    while left:
        thing = left.pop()
        if isinstance(thing, Node):
            assert isinstance(thing, tree._Node), type(thing)
        left.extend(tree.parts_of(thing))


def test_a_budget_ends_by_steps_by_work_and_by_time() -> None:
    with pytest.raises(LimitExceeded, match="steps"):
        Budget().step(10**6)
    with pytest.raises(LimitExceeded, match="larger"):
        Budget().spend(10**6)
    budget = Budget()
    with pytest.raises(LimitExceeded, match="in all"):
        for _ in range(100):
            budget.spend(MAX_TEXT)
    budget, ends = Budget(), time.thread_time() + 2 * MAX_SECONDS
    while time.thread_time() < ends:
        pass
    with pytest.raises(LimitExceeded, match="too long"):
        budget.step(100)


def test_renderings_inside_a_shared_budget_share_its_time() -> None:
    slow = LiquidText("{% for i in (1..9999) %}{% if rows == same %}{% endif %}{% endfor %}")
    data = {**DATA, "same": deepcopy(DATA["rows"])}
    began = time.thread_time()
    messages: list[str] = []
    with shared_budget(3):
        # a quick machine renders some of them to the limit of steps before the time that they share is over
        while len(messages) < 1000 and "too long" not in "".join(messages[-20:-19]):
            with pytest.raises(TemplateFailed) as failed:
                slow.render(data)
            messages.append(str(failed.value))
    assert all("too long" in message for message in messages[-20:]), "after the shared time nothing more is rendered"
    assert time.thread_time() - began < MOST_SECONDS


# ---- random templates --------------------------------------------------------------------------------------------

_ARGS = st.sampled_from(["", ": 2", ": 'a'", ": x", ": '', x", ": 'a', x", ": words", ": 1, 60000", ": rows"])
_FILTERS = st.lists(st.tuples(st.sampled_from(sorted(FILTERS)), _ARGS), max_size=8).map(
    lambda used: "".join(f" | {name}{args}" for name, args in used)
)
_THINGS = st.sampled_from(
    ["x", "y", "words", "rows", "html", "n", "(1..9999)", "(1..n)", "a", "i", "rows.first", "'<a>'"]
)
_SHOWN = st.tuples(_THINGS, _FILTERS).map("".join)
_BLOCKS = st.recursive(
    st.one_of(_SHOWN.map("{{{{ {} }}}}".format), _SHOWN.map("{{% assign a = {} %}}".format)),
    lambda inner: st.one_of(
        st.tuples(_THINGS, inner).map(lambda both: f"{{% for i in {both[0]} %}}{both[1]}{{% endfor %}}"),
        st.tuples(_THINGS, inner).map(lambda both: f"{{% tablerow i in {both[0]} %}}{both[1]}{{% endtablerow %}}"),
        st.tuples(_THINGS, _THINGS, inner).map(
            lambda three: f"{{% if {three[0]} contains {three[1]} %}}{{% else %}}{three[2]}{{% endif %}}"
        ),
        inner.map("{{% capture a %}}{}{{% endcapture %}}".format),
        inner.map("{{% ifchanged %}}{}{{% endifchanged %}}".format),
        st.lists(inner, min_size=2, max_size=3).map("".join),
    ),
    max_leaves=6,
)  # fmt: skip


@settings(max_examples=100, deadline=None)
@given(_BLOCKS)
def test_a_random_template_takes_little_time(source: str) -> None:
    began = time.thread_time()
    try:
        LiquidText(source).render(dict(DATA))
    except InvalidInput as error:
        assert "memory" not in error.message
    assert time.thread_time() - began < MOST_SECONDS
