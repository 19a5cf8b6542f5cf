"""Traces through real processes, read at a receiver of OTLP: they are whole, bounded, without content, and in nobody's
way."""

from __future__ import annotations

import os
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.local.console import say_nothing
from notifier.local.testing import LOCAL, remove_folder
from tests.flows.site import Site
from tests.flows.tenant import Person, Tenant
from tests.flows.wait import until
from tests.tracing.receiver import Received, Receiver

pytestmark = pytest.mark.flow
#: of a single push, from the request to its end
ROAD = {"POST /v1/notifications", "accept", "wakeup", "claim", "send", "provider call", "settle"}
#: words in a message, its address, its person and the key that sends it
CANARIES = (b"CANARY-CONTENT", b"CANARY-TOKEN", b"CANARY-NAME", b"nk_live_", b"Bearer")
CALLER = "4bf92f3577b34da6a3ce929d0e0e4736"
OF_A_VIEW, STRANGER = "5bf92f3577b34da6a3ce929d0e0e4736", "6bf92f3577b34da6a3ce929d0e0e4736"


class TracedSite(Site):
    """Only the processes that a push needs. `receiver`: where spans go."""

    receiver = ""

    @property
    def env(self) -> dict[str, str]:
        return {**super().env, "OTEL_EXPORTER_OTLP_ENDPOINT": self.receiver, "OTEL_BSP_SCHEDULE_DELAY": "200"}

    def up(self) -> None:
        self._spare = []
        self.start("sandbox")
        self.migrate()
        self.start("web", "beat", *(f"worker:{name}" for name in ("control", "batch", "push", "push.bulk")))


@pytest.fixture(scope="module")
def receiver() -> Iterator[Receiver]:
    with Receiver() as running:
        yield running


@pytest.fixture(scope="module")
def traced(request: pytest.FixtureRequest, receiver: Receiver) -> Iterator[Site]:
    yield from running_site("traced", receiver.url, request)


def running_site(name: str, receiver_url: str, request: pytest.FixtureRequest) -> Iterator[TracedSite]:
    folder = LOCAL / f"test-{os.getpid()}-{name}"
    with TracedSite(folder, test=True, environ={}, say=say_nothing) as site:
        site.receiver = receiver_url
        site.up()
        yield site
    remove_folder(folder, keep_logs=request.session.testsfailed > 0)


@pytest.fixture(scope="module")
def tenant(traced: Site) -> Tenant:
    return prepared(traced)


def prepared(site: Site) -> Tenant:
    tenant = Tenant(site, site.new_tenant())
    tenant.person("ann", f"{tenant.tag}CANARY-TOKEN")
    tenant.api.request_json("PUT", "/v1/recipients/ann", {"name": "CANARY-NAME", "locale": "en"})
    push = {"push": {"en": {"title": "{{ word }}", "body": "CANARY-CONTENT"}}}
    tenant.publish("order", "order-updates", push)
    tenant.publish("offer", "promotions", {"push": {"en": {"title": "CANARY-CONTENT", "body": "CANARY-CONTENT"}}})
    return tenant


def send(tenant: Tenant, **headers: str) -> str:
    """The id of the trace in which a notification was sent and settled."""
    body = {"recipient": "ann", "template": "order", "data": {"word": "CANARY-CONTENT"}}
    answer = tenant.api.call("POST", "/v1/notifications", body, **headers)
    assert answer.status == 202, answer.text
    assert tenant.wait_until_final(answer.json["id"]) == {"push": "sent"}
    return str(answer.json["id"])


def trace_of(receiver: Receiver, notification: str) -> list[Received]:
    """The spans of the notification's trace, once the acceptance and the settlement have come."""

    def if_whole() -> list[Received]:
        accepted = [s for s in receiver.spans() if s.attributes.get("notification.id") == notification]
        of_trace = receiver.spans(accepted[0].trace) if accepted else []
        return of_trace if {s.name for s in of_trace} >= ROAD else []

    return until(if_whole, f"the whole trace of {notification}")


def check_connected(trace: list[Received], root: str = "") -> None:
    ids = {span.span for span in trace}
    assert [span.name for span in trace if span.parent == root] == ["POST /v1/notifications"]
    assert [span.name for span in trace if span.parent not in {*ids, root}] == []
    assert all(0 < span.began <= span.ended for span in trace)


def test_a_notification_is_one_connected_trace_over_web_and_worker(tenant: Tenant, receiver: Receiver) -> None:
    trace = trace_of(receiver, send(tenant))
    check_connected(trace)
    assert Counter(span.name for span in trace) == Counter(ROAD)
    service_of = {span.name: span.service for span in trace}
    assert (service_of["accept"], service_of["provider call"]) == ("notifier-web", "notifier-engine")


def test_the_trace_of_the_caller_goes_on(tenant: Tenant, receiver: Receiver, traced: Site) -> None:
    trace = trace_of(receiver, send(tenant, traceparent=f"00-{CALLER}-00f067aa0ba902b7-01"))
    check_connected(trace, root="00f067aa0ba902b7")
    assert {span.trace for span in trace} == {CALLER}
    for program in ("web", "worker:push:1"):
        assert CALLER in Path(traced.log(program)).read_text(), program


def test_what_the_view_answers_is_traced_the_same_way(tenant: Tenant, receiver: Receiver) -> None:
    # a query is nothing for the direct way
    body = {"recipient": "ann", "template": "order", "data": {"word": "CANARY-CONTENT"}}
    answer = tenant.api.call("POST", "/v1/notifications?x=1", body)
    assert answer.status == 202, answer.text
    trace = trace_of(receiver, answer.json["id"])
    check_connected(trace)


def test_a_view_continues_the_trace_of_a_valid_key(tenant: Tenant, receiver: Receiver, traced: Site) -> None:
    body = {"recipient": "ann", "template": "order", "data": {"word": "CANARY-CONTENT"}}
    header = f"00-{OF_A_VIEW}-00f067aa0ba902b7-01"
    answer = tenant.api.call("POST", "/v1/notifications?x=1", body, traceparent=header)
    assert answer.status == 202, answer.text
    trace = trace_of(receiver, answer.json["id"])
    check_connected(trace, root="00f067aa0ba902b7")
    assert {span.trace for span in trace} == {OF_A_VIEW}
    assert OF_A_VIEW in Path(traced.log("web")).read_text()


@pytest.mark.parametrize("path", ["/v1/notifications", "/v1/notifications?x=1"], ids=["direct", "view"])
def test_the_header_of_a_stranger_is_not_believed(tenant: Tenant, receiver: Receiver, traced: Site, path: str) -> None:
    before = len(receiver.spans())
    stranger = tenant.with_key("nk_live_nobody_has_this_key")
    answer = stranger.call("POST", path, {"recipient": "ann"}, traceparent=f"00-{STRANGER}-00f067aa0ba902b7-01")
    assert answer.status == 401

    def refused() -> list[Received]:
        return [s for s in receiver.spans()[before:] if s.attributes.get("http.response.status_code") == 401]

    (span,) = until(refused, "the span of the refusal")
    assert span.parent == ""
    assert receiver.spans(STRANGER) == []
    assert STRANGER not in Path(traced.log("web")).read_text()


def test_a_bulk_request_is_one_bounded_trace(tenant: Tenant, receiver: Receiver) -> None:
    item = {"recipient": "ann", "template": "order", "data": {"word": "CANARY-CONTENT"}}
    answer = tenant.api.call("POST", "/v1/notifications/bulk", {"items": [item] * 60})
    assert answer.status == 202, answer.text
    for each in answer.json["items"]:
        tenant.wait_until_final(each["id"])

    def if_accepted() -> list[Received]:
        return [s for s in receiver.spans() if s.attributes.get("accepted") == 60]

    (accepted,) = until(if_accepted, "the span of the acceptance")
    names = Counter(span.name for span in receiver.spans(accepted.trace))
    assert names["POST /v1/notifications/bulk"] == names["accept"] == 1


def test_a_campaign_has_a_bounded_number_of_spans(tenant: Tenant, receiver: Receiver) -> None:
    people = [Person(f"u{n}", f"{tenant.tag}CANARY-TOKEN-{n}") for n in range(500)]
    tenant.import_people(people)
    before = len(receiver.spans())
    campaign = tenant.draft("offer", tenant.list_of([p.external_id for p in people]), ["push"])
    campaign.arm()
    campaign.go()
    assert campaign.wait_until_finished()["channels"]["push"]["sent"] == 500

    def of_shards() -> list[Received]:
        return [s for s in receiver.spans() if s.attributes.get("campaign.id") == campaign.id]

    turns = until(lambda: [s for s in of_shards() if s.name == "send shard"], "the span of the shard")
    (launch,) = until(lambda: [s for s in of_shards() if s.name == "launch"], "the span of the launch")
    assert {link for turn in turns for link in turn.links} == {launch.trace}
    parts = Counter(span.name for turn in turns for span in receiver.spans(turn.trace))
    assert 1 <= parts["provider call"] <= 20
    # requests of this test to the API are spans, too
    engine = [span for span in receiver.spans()[before:] if span.service == "notifier-engine"]
    assert len(engine) <= 80, Counter(span.name for span in engine)


def test_no_span_has_content_an_address_a_name_or_a_key(tenant: Tenant, receiver: Receiver) -> None:
    trace_of(receiver, send(tenant))
    raw = b"".join(span.raw for span in receiver.spans())
    assert [canary for canary in CANARIES if canary in raw] == []
    # ids, names of our own, and patterns of addresses
    texts = {str(v) for span in receiver.spans() for v in span.attributes.values() if isinstance(v, str)}
    assert [text for text in texts if not re.fullmatch(r"[\w.<>:/$^|()+*\\\[\]?-]*|claim lost", text)] == []


def test_a_receiver_that_hangs_or_is_away_stops_no_message(request: pytest.FixtureRequest) -> None:
    with Receiver(hang=True) as hanging:
        for site in running_site("hanging", hanging.url, request):
            tenant = prepared(site)
            for _ in range(5):
                send(tenant)
            until(hanging.asked.is_set, "an export that hangs")
            send(tenant)
            assert hanging.spans() == []
            site.receiver = "http://127.0.0.1:9"  # the port `discard`, where nothing listens
            site.restart("web")
            site.restart("worker:push")
            for _ in range(5):
                send(tenant)
