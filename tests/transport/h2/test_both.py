"""What tests/transport/test_client.py asks of the chosen transport, asked of the other one."""

from __future__ import annotations

import os

import pytest

from notifier.transport.curl.client import CurlClient
from notifier.transport.h2.client import Http2Client
from tests.transport import test_client
from tests.transport.test_client import (  # noqa: F401  # collected here a second time
    test_a_connection_told_to_go_away_is_replaced,
    test_a_cut_connection_is_in_doubt_and_libcurl_does_not_repeat_it_behind_our_back,
    test_a_far_end_that_comes_back_is_used_again,
    test_a_forked_child_has_its_own_connections_and_the_parent_keeps_its,
    test_a_header_with_a_line_break_never_leaves_and_is_not_shown,
    test_a_refused_token_is_told_apart_from_a_trouble_of_the_endpoint,
    test_a_reset_stream_is_in_doubt_and_is_not_repeated,
    test_a_slow_answer_does_not_hold_up_the_others,
    test_a_url_that_is_not_https_never_leaves,
    test_an_empty_exchange_yields_nothing,
    test_an_exchange_closed_early_withdraws_what_has_not_begun,
    test_bodies_are_capped,
    test_connections_are_kept_across_calls_and_threads,
    test_every_answer_is_attributed_to_its_request,
    test_nothing_has_begun_when_nobody_listens,
    test_nothing_has_begun_when_the_certificate_is_not_trusted,
    test_refused_streams_are_answered_and_not_repeated,
    test_the_total_timeout_holds_and_leaves_the_request_in_doubt,
)

OTHER = (Http2Client if os.environ.get("NOTIFIER_TRANSPORT") == "curl" else CurlClient).here


@pytest.fixture(autouse=True)
def _the_other_transport(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(test_client, "wire", OTHER)
