"""The chosen client against the sandbox: every request is answered once and by its own answer, and doubt is reported
truly."""

from __future__ import annotations

import os
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from notifier.local.servers.ports import free_port
from notifier.transport import http_client
from notifier.vocabulary.http import LARGEST_ANSWER, HttpClient, Request, Response, TokenRefused, TransportError
from notifier.vocabulary.verdicts import InDoubt, Permanent, Sent, Verdict
from tests.providers.people import a_push, sandboxed, token_of
from tests.sandbox.process import Sandbox, sandbox_in


def send(sandbox: Sandbox, *addresses: str, by: HttpClient | None = None) -> list[Verdict]:
    """The verdicts in the order of the addresses."""
    received: dict[int, Verdict] = {}
    for batch in sandboxed(sandbox.url).send([a_push(a) for a in addresses], by or http_client(sandbox.ca)):
        for index, verdict in batch:
            assert index not in received
            received[index] = verdict
    assert sorted(received) == list(range(len(addresses)))
    return [received[i] for i in range(len(addresses))]


def test_every_answer_is_attributed_to_its_request(sandbox: Sandbox) -> None:
    words = ["ok", "unregistered", "ok", "badarg"]
    verdicts = send(sandbox, *(f"{words[i % 4]}-{i}" for i in range(2000)))
    for i, verdict in enumerate(verdicts):
        assert isinstance(verdict, Sent if words[i % 4] == "ok" else Permanent)
    report = sandbox.report()
    assert (report["unique"], report["duplicates"], report["received"]) == (1000, 0, 2000)


def test_connections_are_kept_across_calls_and_threads(sandbox: Sandbox) -> None:
    send(sandbox, "warm")
    before = sandbox.report()["connections"]
    threads = [threading.Thread(target=send, args=(sandbox, f"t{i}")) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for i in range(5):
        send(sandbox, f"again{i}")
    assert sandbox.report()["connections"] <= before
    assert sandbox.report()["unique"] == 10


def test_a_reset_stream_is_in_doubt_and_is_not_repeated(sandbox: Sandbox) -> None:
    assert isinstance(send(sandbox, "reset-1")[0], InDoubt)
    assert sandbox.report()["accepted"] == 1


def test_a_cut_connection_is_in_doubt_and_libcurl_does_not_repeat_it_behind_our_back(sandbox: Sandbox) -> None:
    send(sandbox, "warm")
    verdicts = send(sandbox, *(f"ok-{i}" for i in range(30)), "hangup-1", *(f"more-{i}" for i in range(30)))
    report = sandbox.report()
    assert report["duplicates"] == 0
    assert sum(isinstance(v, Sent) for v in verdicts) + 1 <= report["unique"]
    assert all(isinstance(v, (Sent, InDoubt)) for v in verdicts)


def test_refused_streams_are_answered_and_not_repeated(sandbox: Sandbox) -> None:
    sandbox.faults(refuse_every=7)
    verdicts = send(sandbox, *(f"ok-{i}" for i in range(300)))
    report = sandbox.report()
    assert report["duplicates"] == 0
    assert sum(isinstance(v, Sent) for v in verdicts) <= report["unique"]


def test_a_connection_told_to_go_away_is_replaced(sandbox: Sandbox) -> None:
    sandbox.faults(goaway_every=50)
    for i in range(200):
        send(sandbox, f"ok-{i}")
    report = sandbox.report()
    assert (report["unique"], report["duplicates"]) == (200, 0)


def test_nothing_has_begun_when_no_server_listens() -> None:
    port = free_port()
    assert not error_of(f"https://127.0.0.1:{port}/", None).begun


def test_nothing_has_begun_when_the_certificate_is_not_trusted(sandbox: Sandbox) -> None:
    assert not error_of(sandbox.url + "/_report", None).begun


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "ftp://127.0.0.1/", "nonsense", "https://[", "https://"])
def test_a_request_to_a_url_other_than_https_is_never_sent(url: str) -> None:
    assert not error_of(url, None).begun


def test_a_header_with_a_line_break_is_never_sent_or_shown(sandbox: Sandbox) -> None:
    headers = (("authorization", "Bearer secret\r\nx-evil: 1"),)
    answer = error_of(sandbox.url + "/_report", sandbox.ca, headers)
    assert not answer.begun
    assert "secret" not in answer.detail


def test_the_total_timeout_holds_and_leaves_the_request_in_doubt(sandbox: Sandbox) -> None:
    sandbox.faults(latency_ms=60_000)
    provider = sandboxed(sandbox.url)
    token = http_client(sandbox.ca).token(token_of(provider))
    request = provider.request(a_push(), token)
    hurried = Request(request.method, request.url, request.headers, request.body, timeout=3.0)
    ((_, answer),) = next(iter(http_client(sandbox.ca).exchange([hurried])))
    assert isinstance(answer, TransportError)
    assert answer.begun


def test_a_slow_answer_does_not_delay_the_others(sandbox: Sandbox) -> None:
    sandbox.faults(slow_ms=4000)
    batches = list(
        sandboxed(sandbox.url).send(
            [a_push("slow-1"), *(a_push(f"ok-{i}") for i in range(50))], http_client(sandbox.ca)
        )
    )
    order = [index for batch in batches for index, _ in batch]
    assert order[-1] == 0
    assert sorted(order) == list(range(51))
    assert len(batches) > 1


def test_an_exchange_closed_early_withdraws_what_has_not_begun(sandbox: Sandbox) -> None:
    sandbox.faults(latency_ms=100)
    answers = sandboxed(sandbox.url).send([a_push(f"ok-{i}") for i in range(5000)], http_client(sandbox.ca))
    next(answers)
    answers.close()  # type: ignore[attr-defined]  # a generator, promised as an iterator
    sandbox.faults(latency_ms=0)
    send(sandbox, *(f"later-{i}" for i in range(900)))
    assert sandbox.report()["unique"] < 5000


def test_an_empty_exchange_yields_nothing(sandbox: Sandbox) -> None:
    assert list(http_client(sandbox.ca).exchange([])) == []


def test_bodies_are_capped(sandbox: Sandbox) -> None:
    send(sandbox, *(f"a-fairly-long-address-{i:0700}" for i in range(800)))
    request = Request("GET", sandbox.url + "/_report?detail=1&limit=800", (), b"")
    ((_, answer),) = next(iter(http_client(sandbox.ca).exchange([request])))
    assert isinstance(answer, Response)
    assert len(answer.body) == LARGEST_ANSWER


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[Sandbox]:
    """A sandbox to which this process has no connection. To the shared one there may be connections that an earlier
    test had cut: libcurl notices that only while it writes, and the request is in doubt, as it must be."""
    with sandbox_in(tmp_path) as sandbox:
        yield sandbox


def test_a_forked_child_has_its_own_connections_and_the_parent_keeps_its(untouched: Sandbox) -> None:
    sandbox = untouched
    assert isinstance(send(sandbox, "before")[0], Sent)
    child = os.fork()
    if child == 0:
        code = 1
        try:
            code = 0 if isinstance(send(sandbox, "child")[0], Sent) else 1
        finally:
            os._exit(code)
    _, status = os.waitpid(child, 0)
    assert os.waitstatus_to_exitcode(status) == 0
    assert isinstance(send(sandbox, "after")[0], Sent)
    report = sandbox.report()
    assert (report["unique"], report["duplicates"]) == (3, 0)


def test_a_server_that_comes_back_is_used_again(tmp_path: Path) -> None:
    with sandbox_in(tmp_path) as first:
        port = int(first.url.rpartition(":")[2])
        assert isinstance(send(first, "one")[0], Sent)
    with sandbox_in(tmp_path, port) as second:
        token = token_of(sandboxed(second.url))
        outcomes: list[Verdict] = []
        while not outcomes or not isinstance(outcomes[-1], Sent):
            outcomes.append(send(second, f"two-{len(outcomes)}")[0])
            threading.Event().wait(0.5)
            assert len(outcomes) < 12
        assert http_client(second.ca).token(token)
        assert second.report()["duplicates"] == 0


def test_a_refused_token_differs_from_a_failure_of_the_endpoint(sandbox: Sandbox) -> None:
    sandbox.faults(reject_grants=True)
    token_request = token_of(sandboxed(sandbox.url))
    http_client(sandbox.ca).forget_token(token_request.cache_key)
    fresh = type(token_request)("a-key-of-this-test", token_request.request)
    with pytest.raises(TokenRefused) as refused:
        http_client(sandbox.ca).token(fresh)
    assert not refused.value.temporary
    assert "assertion" not in str(refused.value)
    gone = type(token_request)("another-key", Request("POST", "https://127.0.0.1:1/token", (), b""))
    with pytest.raises(TokenRefused) as failed:
        http_client(sandbox.ca).token(gone)
    assert failed.value.temporary


def error_of(url: str, trust: str | None, headers: tuple[tuple[str, str], ...] = ()) -> TransportError:
    ((_, answer),) = next(iter(http_client(trust).exchange([Request("POST", url, headers, b"{}", timeout=3)])))
    assert isinstance(answer, TransportError)
    return answer
