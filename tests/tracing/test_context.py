"""The header of W3C Trace Context, version 00: what is continued, and what begins a trace of its own."""

from __future__ import annotations

import pytest

from notifier.tracing.context import Caller, TraceContext, read_header, read_stored

TRACE, SPAN = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
GOOD = f"00-{TRACE}-{SPAN}-01"
KNOWN = Caller(int(TRACE, 16), int(SPAN, 16), True)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(GOOD, KNOWN, id="good"),
        pytest.param(f"  {GOOD} ", KNOWN, id="blanks around it"),
        pytest.param(f"00-{TRACE}-{SPAN}-00", Caller(KNOWN.trace_id, KNOWN.span_id, False), id="not sampled"),
        pytest.param(f"00-{TRACE}-{SPAN}-03", KNOWN, id="another flag beside sampled"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01", KNOWN, id="a later version"),
        pytest.param(f"cc-{TRACE}-{SPAN}-01-more", KNOWN, id="a later version with more"),
        pytest.param(f"00-{TRACE}-{SPAN}-01-more", None, id="version 00 with more"),
        pytest.param(f"ff-{TRACE}-{SPAN}-01", None, id="version ff"),
        pytest.param(f"00-{TRACE.upper()}-{SPAN}-01", None, id="upper case"),
        pytest.param(f"00-{'0' * 32}-{SPAN}-01", None, id="no trace"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", None, id="no span"),
        pytest.param(f"00-{TRACE[1:]}-{SPAN}-01", None, id="short"),
        pytest.param("", None, id="empty"),
        pytest.param("0" * 100_000, None, id="long"),
    ],
)
def test_a_header_is_read_as_the_standard_says(header: str, expected: Caller | None) -> None:
    assert read_header(header) == expected


def test_a_context_is_stored_as_a_header() -> None:
    context = TraceContext(KNOWN.trace_id, KNOWN.span_id)
    assert context.header == GOOD
    assert read_stored(context.header) == context
    assert read_stored(None) is None


def test_the_acceptance_has_an_id_of_its_own_that_follows_from_the_request() -> None:
    context = TraceContext(KNOWN.trace_id, KNOWN.span_id)
    assert context.acceptance() == context.acceptance() != context
    for span_id in (1, 2**64 - 1, context.acceptance().span_id ^ context.span_id):
        assert TraceContext(1, span_id).acceptance().span_id not in (0, span_id)
