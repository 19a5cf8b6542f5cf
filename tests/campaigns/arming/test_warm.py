"""Warming reaches the workers that will send, and its failure breaks nothing."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from celery import current_app
from kombu.exceptions import OperationalError

from campaigns.arming import warm
from notifier.delivery.accounts import registry
from notifier.delivery.infra import redis
from notifier.models import ProviderAccount
from notifier.vocabulary.http import TokenRefused, TokenRequest
from tests.campaigns.fake_client import Post, make_undecryptable, post

pytestmark = pytest.mark.django_db(transaction=True)
__all__ = ["post"]


@pytest.fixture
def broadcasts(monkeypatch: pytest.MonkeyPatch) -> list[dict[str, Any]]:
    sent: list[dict[str, Any]] = []
    monkeypatch.setattr(current_app.control, "broadcast", lambda name, **more: sent.append({"name": name, **more}))
    return sent


def test_arming_warms_each_account_once(post: Post, broadcasts: list[dict[str, Any]], settings: Any) -> None:
    settings.SHARD_SIZE = 2
    post.people(6)
    post.armed()
    assert broadcasts == [{"name": "warm", "arguments": {"account_ids": [str(post.account.pk)]}}]


@pytest.mark.parametrize("error", [redis.Unavailable("x"), OperationalError("x")])
def test_without_redis_arming_still_ends(post: Post, monkeypatch: pytest.MonkeyPatch, error: Exception) -> None:
    def away(*args: Any, **more: Any) -> None:
        raise error

    monkeypatch.setattr(current_app.control, "broadcast", away)
    post.people(1)
    post.armed()


def test_connections_are_open_and_tokens_fetched_before_go(post: Post) -> None:
    fetched: list[int] = []
    post.client.before_token = lambda: fetched.append(1)
    post.people(1)
    post.armed()
    inbox = registry.choose_account(post.tenant, "in_app", "", "live")
    assert warm.warm_process([str(post.account.pk), str(inbox.pk)]) == 1
    assert fetched == [1]


@pytest.mark.parametrize("problem", ["settings", "token"])
def test_one_account_that_cannot_be_warmed_keeps_no_other_cold(
    post: Post, problem: str, caplog: pytest.LogCaptureFixture
) -> None:
    post.people(1)
    post.armed()
    good = post.account
    bad = ProviderAccount.objects.create(
        tenant=post.tenant, name="bad", provider="fcm", channel="push", platform="fcm", sandbox=True
    )
    if problem == "settings":
        make_undecryptable(bad)
    else:
        bad_key = registry.provider_for(bad).token_key

        def refuse_bad(request: TokenRequest) -> str:
            if request.cache_key == bad_key:
                raise TokenRefused("secret", temporary=False)
            return "token"

        post.client.tokens = refuse_bad
    assert warm.warm_process([str(bad.pk), str(good.pk)]) == 1
    assert "secret" not in caplog.text


@pytest.mark.parametrize(("queues", "called"), [(["push.bulk"], 1), (["push"], 0), (["control", "in_app.bulk"], 1)])
def test_only_bulk_workers_warm_and_in_their_child_process(queues: list[str], called: int) -> None:
    calls: list[Any] = []
    consumer = SimpleNamespace(
        task_consumer=SimpleNamespace(queues=[SimpleNamespace(name=name) for name in queues]),
        pool=SimpleNamespace(apply_async=lambda function, args: calls.append((function, args))),
    )
    assert warm._warm(SimpleNamespace(consumer=consumer), ["one"]) == {"ok": "warming"}
    assert calls == [(warm.warm_process, (["one"],))] * called
