"""The SDK's settings: a mistake in them costs the traces, and no request."""

from __future__ import annotations

import os
from collections.abc import Iterator

import pytest

from notifier.tracing.context import Caller, TraceContext
from notifier.tracing.recorder import OtlpRecorder
from notifier.tracing.switch import Span
from tests.tracing.receiver import Receiver

SPAN = Span("work", TraceContext(7, 8), 1, 2, attributes={"messages": 3})


@pytest.fixture(autouse=True)
def without_variables(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith("OTEL_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver() as running:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", running.url)
        yield running


def test_variables_that_cannot_be_used_cost_the_traces_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_BSP_MAX_QUEUE_SIZE", "-1")
    recorder = OtlpRecorder("web")
    assert not recorder.samples("work", 7)
    recorder.record(SPAN)
    recorder.flush(1.0)


def test_a_flush_hands_over_what_was_recorded(receiver: Receiver) -> None:
    recorder = OtlpRecorder("web")
    recorder.record(SPAN)
    recorder.flush(30.0)
    (span,) = receiver.spans()
    assert (span.name, span.service, span.attributes) == ("work", "notifier-web", {"messages": 3})


def test_the_service_has_the_name_that_the_operator_gives(receiver: Receiver, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_SERVICE_NAME", "shop")
    recorder = OtlpRecorder("web")
    recorder.record(SPAN)
    recorder.flush(30.0)
    assert [span.service for span in receiver.spans()] == ["shop"]


@pytest.mark.parametrize(
    ("sampler", "share", "expected"),
    [
        pytest.param("", "", [True, True, False], id="the default: all but those whose caller says no"),
        pytest.param("always_off", "", [False, False, False], id="none"),
        pytest.param("parentbased_traceidratio", "0", [False, True, False], id="only the caller's"),
        pytest.param("traceidratio", "1", [True, True, True], id="the caller has no say"),
    ],
)
def test_the_sampler_is_the_operators(
    sampler: str, share: str, expected: list[bool], monkeypatch: pytest.MonkeyPatch
) -> None:
    if sampler:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER", sampler)
    if share:
        monkeypatch.setenv("OTEL_TRACES_SAMPLER_ARG", share)
    recorder = OtlpRecorder("web")
    callers = (None, Caller(7, 8, True), Caller(7, 8, False))
    assert [recorder.samples("work", 7, caller) for caller in callers] == expected
