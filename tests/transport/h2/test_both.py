"""The tests of tests/transport/test_client.py again, with the transport that NOTIFIER_TRANSPORT does not choose."""

from __future__ import annotations

import os

import pytest

from tests.transport.test_client import (  # noqa: F401  # collected here a second time
    test_a_connection_told_to_go_away_is_replaced,
    test_a_cut_connection_is_in_doubt_and_libcurl_does_not_repeat_it_behind_our_back,
    test_a_forked_child_has_its_own_connections_and_the_parent_keeps_its,
    test_a_header_with_a_line_break_is_never_sent_or_shown,
    test_a_refused_token_differs_from_a_failure_of_the_endpoint,
    test_a_request_to_a_url_other_than_https_is_never_sent,
    test_a_reset_stream_is_in_doubt_and_is_not_repeated,
    test_a_server_that_comes_back_is_used_again,
    test_a_slow_answer_does_not_delay_the_others,
    test_an_empty_exchange_yields_nothing,
    test_an_exchange_closed_early_withdraws_what_has_not_begun,
    test_bodies_are_capped,
    test_connections_are_kept_across_calls_and_threads,
    test_every_answer_is_attributed_to_its_request,
    test_nothing_has_begun_when_no_server_listens,
    test_nothing_has_begun_when_the_certificate_is_not_trusted,
    test_refused_streams_are_answered_and_not_repeated,
    test_the_total_timeout_holds_and_leaves_the_request_in_doubt,
    untouched,
)

OTHER = "h2" if os.environ.get("NOTIFIER_TRANSPORT") == "curl" else "curl"


@pytest.fixture(autouse=True)
def _the_other_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NOTIFIER_TRANSPORT", OTHER)
