"""Which nodes and expressions a template may have, and how they are evaluated: under a budget, strict about missing
values.

python-liquid's own classes do the work. Each node and expression of a parsed template gets a subclass of its class that
pays the budget first, so that no tag is left out; publishing refuses a class that is not listed here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache, partial
from io import StringIO
from typing import Any, TextIO

from liquid import RenderContext
from liquid.ast import BlockNode, ConditionalBlockNode, Node
from liquid.builtin.content import ContentNode
from liquid.builtin.expressions import (
    FilteredExpression,
    KeywordArgument,
    LoopExpression,
    Path,
    PositionalArgument,
    filtered,
    logical,
    primitive,
)
from liquid.builtin.output import OutputNode
from liquid.builtin.tags import (
    assign_tag,
    capture_tag,
    case_tag,
    comment_tag,
    cycle_tag,
    decrement_tag,
    doc_tag,
    echo_tag,
    for_tag,
    if_tag,
    ifchanged_tag,
    increment_tag,
    inline_comment_tag,
    liquid_tag,
    tablerow_tag,
    unless_tag,
)
from liquid.exceptions import LiquidError
from liquid.expression import Expression
from liquid.output import LimitedStringIO
from liquid.undefined import UNDEFINED

from notifier.delivery.content.liquid.filters import apply, with_html_breaks
from notifier.delivery.content.liquid.render_budget import MAX_ITEMS, MAX_OUTPUT, Budget, LimitExceeded
from notifier.delivery.content.liquid.values import Html, Missing, NoValue, as_html, as_text

#: elements (nodes and expressions) of one template part: parsing this number takes 50 ms
MAX_ELEMENTS = 10_000
#: levels of nested blocks and of `and` after `and`: Python's stack has a thousand calls, and a level uses up to four
MAX_DEPTH = 100
#: filters in a row
MAX_FILTERS = 30


class Context(RenderContext):
    """One rendering. Every evaluation goes through the context and pays the budget."""

    __slots__ = ("budget", "escapes", "failed")

    def __init__(self, *args: Any, **named: Any) -> None:
        super().__init__(*args, **named)
        self.budget = Budget()
        #: whether values are escaped for HTML where they are printed
        self.escapes = False
        #: the innermost node that could not be rendered
        self.failed: Node | None = None

    def get(self, path: list[object], *, token: Any, default: object = UNDEFINED) -> object:
        self.budget.step()
        value: object = self.scope
        for n, key in enumerate(path):
            if type(key) is Missing:
                return key
            try:
                value = self.get_item(value, key) if n else self.scope[key]  # type: ignore[index]
            except (KeyError, TypeError, IndexError):
                return Missing(_path_text(path[: n + 1]), token=token)
            if type(value) is Missing:
                return value
        return value

    def filter(self, name: str, token: Any) -> Any:
        function = super().filter(name, token)
        if self.escapes and name == "newline_to_br":
            function = with_html_breaks
        return partial(apply, self.budget, name, function)

    def loop(self, namespace: Any, forloop: Any) -> Any:
        self.budget.step(forloop.length)
        return super().loop(namespace, forloop)

    def get_buffer(self, buf: TextIO | None = None) -> StringIO:
        size = buf.size if isinstance(buf, LimitedStringIO) else 0
        return _Buffer(self.budget, MAX_OUTPUT - size)


class _Buffer(LimitedStringIO):
    """An output, or the text that a `capture` collects."""

    def __init__(self, budget: Budget, limit: int) -> None:
        super().__init__(limit)
        self._budget = budget

    def write(self, text: str) -> int:
        written = super().write(text)
        # writing 256 characters costs as much as a step
        if len(text) > 256:
            self._budget.step(len(text) // 256)
        return written


def _path_text(path: Iterable[object]) -> str:
    """A path as a template has it: `recipient.attributes.vip`, `items[0].name`."""
    pieces = [f".{key}" if isinstance(key, str) else f"[{key}]" for key in path]
    return "".join(pieces).removeprefix(".")


# ---- nodes and expressions, stricter than their originals --------------------------------------------------------


class _Node:
    """Any node: costs one step, and stores the innermost node of an error."""

    __slots__ = ()

    def render(self, context: Context, buffer: TextIO) -> int:
        context.budget.step()
        try:
            return super().render(context, buffer)  # type: ignore[misc,no-any-return]
        except LiquidError:
            context.failed = context.failed or self  # type: ignore[assignment]
            raise


class _Output:
    """`{{ … }}` and `echo`."""

    __slots__ = ()
    expression: Expression

    def render_to_output(self, context: Context, buffer: TextIO) -> int:
        text = as_text(self.expression.evaluate(context), self.expression)
        return buffer.write(as_html(text) if context.escapes else text)


class _Cycle:
    """`cycle`: tags with the same words, or the same group, share one position."""

    __slots__ = ()
    args: list[Expression]
    group: Expression | None

    def render_to_output(self, context: Context, buffer: TextIO) -> int:
        group = as_text(self.group.evaluate(context), self.group) if self.group else ""
        position = context.cycle(group or str([str(arg) for arg in self.args]), len(self.args))
        current = self.args[position % len(self.args)]
        text = as_text(current.evaluate(context), current)
        return buffer.write(as_html(text) if context.escapes else text)


class _Capture:
    """`capture`: what was rendered for HTML is HTML."""

    __slots__ = ()
    name: str

    def _assign(self, context: Context, buffer: StringIO) -> None:
        text = buffer.getvalue()
        context.assign(self.name, Html(text) if context.escapes else text)


class _Filtered:
    """A value and its filters: only `default` accepts null."""

    __slots__ = ()
    left: Expression
    filters: list[filtered.Filter] | None

    def evaluate(self, context: Context) -> object:
        value = self.left.evaluate(context)
        for used in self.filters or ():
            if value is None and used.name != "default":
                raise NoValue(str(self.left), "is null")
            value = used.evaluate(value, context)
        return value


class _Loop:
    """`for` and `tablerow`: a missing value is no empty list."""

    __slots__ = ()
    iterable: Expression

    def _to_iter(self, obj: object, context: Context) -> tuple[Iterator[Any], int]:
        if obj is None:
            raise NoValue(str(self.iterable), "is null")
        if type(obj) is Missing:
            obj.refuse()
        if isinstance(obj, list | tuple | dict) and len(obj) > MAX_ITEMS:
            raise LimitExceeded(f"a list of more than {MAX_ITEMS} entries")
        return super()._to_iter(obj, context)  # type: ignore[misc,no-any-return]


class _Range:
    """`(1..10)`: limited in size when it is created."""

    __slots__ = ()

    def _make_range(self, start: Any, stop: Any) -> range:
        numbers: range = super()._make_range(start, stop)  # type: ignore[misc]
        if numbers and numbers[-1] - numbers[0] >= MAX_ITEMS:
            raise LimitExceeded(f"a range of more than {MAX_ITEMS} numbers")
        return numbers


_NODES: dict[type, type | None] = {
    OutputNode: _Output,
    echo_tag.EchoNode: _Output,
    cycle_tag.CycleNode: _Cycle,
    capture_tag.CaptureNode: _Capture,
    **dict.fromkeys(
        (BlockNode, ConditionalBlockNode, ContentNode, assign_tag.AssignNode,
         case_tag.CaseNode, case_tag.MultiExpressionBlockNode, comment_tag.CommentNode, decrement_tag.DecrementNode,
         doc_tag.DocNode,
         for_tag.BreakNode, for_tag.ContinueNode, for_tag.ForNode, if_tag.IfNode, ifchanged_tag.IfChangedNode,
         increment_tag.IncrementNode, inline_comment_tag.InlineCommentNode, liquid_tag.LiquidNode,
         tablerow_tag.TablerowNode, unless_tag.UnlessNode)
    ),
}  # fmt: skip
_EXPRESSIONS: dict[type, type | None] = {
    FilteredExpression: _Filtered,
    LoopExpression: _Loop,
    primitive.RangeLiteral: _Range,
    **dict.fromkeys(
        (Path, KeywordArgument, PositionalArgument, filtered.Filter, case_tag._AnyExpression, logical.BooleanExpression,
         logical.LogicalAndExpression, logical.LogicalOrExpression, logical.EqExpression, logical.NeExpression,
         logical.LeExpression, logical.GeExpression, logical.LtExpression, logical.GtExpression,
         logical.ContainsExpression, primitive.Nil, primitive.Empty, primitive.Blank, primitive.Continue,
         primitive.TrueLiteral, primitive.FalseLiteral, primitive.StringLiteral, primitive.IntegerLiteral,
         primitive.FloatLiteral)
    ),
}  # fmt: skip


@cache
def _stricter(kind: type) -> type:
    """The subclass that replaces a class. Raises LimitExceeded for a class that is not listed above."""
    candidates: tuple[type | None, ...]
    if kind in _NODES:
        candidates = (_Node, _NODES[kind], kind)
    elif kind in _EXPRESSIONS:
        candidates = (_EXPRESSIONS[kind], kind)
    else:
        raise LimitExceeded(f"{kind.__name__} is not supported")
    bases = tuple(base for base in candidates if base is not None)
    return kind if len(bases) == 1 else type(f"Strict{kind.__name__}", bases, {"__slots__": ()})


def restrict(nodes: Iterable[Node]) -> None:
    """Put the parsed template under limits. Raises LimitExceeded for a template that is too large or too deep, or holds
    a class that is not listed above."""
    elements = 0
    seen: set[int] = set()
    left: list[tuple[Any, int]] = [(node, 1) for node in nodes]
    while left:
        element, depth = left.pop()
        if id(element) in seen:
            continue
        seen.add(id(element))
        elements += 1
        if elements > MAX_ELEMENTS:
            raise LimitExceeded(f"more than {MAX_ELEMENTS} tags, values and filters")
        if depth > MAX_DEPTH:
            raise LimitExceeded(f"blocks or conditions inside one another, more than {MAX_DEPTH} levels")
        if len(getattr(element, "filters", None) or ()) > MAX_FILTERS:
            raise LimitExceeded(f"more than {MAX_FILTERS} filters in a row")
        if isinstance(element, OutputNode):
            _refuse_words(element.expression)
        left.extend((child, depth + 1) for child in parts_of(element))
        kind: type = type(element)
        if (stricter := _stricter(kind)) is not kind:
            element.__class__ = stricter


def _refuse_words(printed: Expression) -> None:
    """Raise LiquidError for `{{ nil }}` and the like, which print nothing even if a variable has that name."""
    if isinstance(printed, FilteredExpression) and not printed.filters and isinstance(printed.left, _NOTHING):
        word = type(printed.left).__name__.lower()
        raise LiquidError(f"{word!r} has a meaning of its own in Liquid and shows nothing", token=None)


_NOTHING = (primitive.Nil, primitive.Empty, primitive.Blank)
_PARTS = (Node, Expression, filtered.Filter, KeywordArgument, PositionalArgument)


def parts_of(element: Any) -> Iterator[Any]:
    """The nodes and expressions that `element` holds, read from its attributes, so that no class can hide one."""
    for kind in type(element).__mro__:
        for name in kind.__dict__.get("__slots__", ()):
            value = getattr(element, name, None)
            for part in value if isinstance(value, list) else (value,):
                if isinstance(part, _PARTS):
                    yield part


def names_in(node: Node) -> list[str]:
    """The variables that a node itself reads, without those of the blocks inside it."""
    left: list[Any] = [node]
    names: list[str] = []
    while left:
        element = left.pop()
        if isinstance(element, Path):
            names.append(str(element))
        own = [part for part in parts_of(element) if not isinstance(part, Node) or _is_condition(part)]
        left.extend(reversed([part for part in own if not isinstance(part, BlockNode)]))
    return list(dict.fromkeys(names))


def _is_condition(node: Node) -> bool:
    """An `elsif` or a `when`: its condition is evaluated by the `if` or `case` that it belongs to."""
    return isinstance(node, ConditionalBlockNode | case_tag.MultiExpressionBlockNode)
