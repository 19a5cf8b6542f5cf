"""Erasing a person: no table holds them any more, nothing is sent to them, and their addresses stay suppressed."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction

from notifier.delivery import accept
from notifier.delivery.content import templates
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.models import Delivery, Template
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane, Status
from tenants import erasure
from tenants.audit import Actor
from tenants.imports import import_recipients
from tenants.models import AuditLog, ConsentChange, Device, Erasure, Preference, Recipient, Suppression
from tests.campaigns.fake_client import Post, post, send
from tests.fixtures import Api, People

__all__ = ["post"]  # a fixture
pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "Quetzalcoatl"
LATER = timedelta(minutes=2)


def a_person(post: Post, **columns: str) -> Recipient:
    values = {"email": f"{CANARY}@mail.example", "phone": "+491709998877", "name": CANARY, **columns}
    person = post.person(f"token-{CANARY}", external_id="r1", **values)
    person.attributes = {"nickname": CANARY}
    person.save()
    return person


def erase(person: Recipient) -> Erasure:
    """As the API and the task do it, two minutes later."""
    erased = erasure.request(person, Actor())
    erasure.run_open(datetime.now(UTC) + LATER)
    # a row that was due gets its outcome, and then loses its content
    sweep()
    for channel in ("push", "in_app"):
        deliver(channel, (Lane.TRANSACTIONAL,))
    erasure.run_open(datetime.now(UTC) + LATER)
    erased.refresh_from_db()
    return erased


def tables_with(word: str) -> list[str]:
    """Tables of the database of which a row holds the word, in text, JSON or bytes."""
    digits = word.encode().hex()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname FROM pg_class JOIN pg_namespace n ON n.oid = relnamespace"
            " WHERE nspname = 'public' AND relkind IN ('r', 'p') AND NOT relispartition"
        )
        names = [name for (name,) in cursor.fetchall()]
        with_word = []
        for name in names:
            cursor.execute(
                f'SELECT EXISTS (SELECT FROM "{name}" t WHERE to_jsonb(t)::text ILIKE ANY (%s))',
                [[f"%{word}%", f"%{digits}%"]],
            )
            if cursor.fetchone()[0]:
                with_word.append(name)
    return with_word


def a_notification(post: Post, **values: object) -> None:
    template = Template.objects.filter(tenant=post.tenant, key="hello").first()
    if template is None:
        template = Template.objects.create(tenant=post.tenant, key="hello")
        part = {"en": {"title": "Hi", "body": "{{ recipient.name }} {{ word }}"}}
        templates.publish(template, {"push": part, "in_app": part})
    [outcome] = accept(post.tenant.pk, [SendRequest("r1", "hello", data={"word": CANARY}, **values)])  # type: ignore[arg-type]
    assert not isinstance(outcome, Exception), outcome


def test_no_table_holds_an_erased_person(post: Post, tmp_path: Path) -> None:
    person = a_person(post)
    Preference.objects.create(tenant=post.tenant, recipient=person, channels_off=["chat"])
    Suppression.objects.create(tenant=post.tenant, channel="email", address=person.email)
    a_notification(post)
    a_notification(post, send_at=datetime.now(UTC) + timedelta(days=3))
    deliver("push", (Lane.TRANSACTIONAL,))
    deliver("in_app", (Lane.TRANSACTIONAL,))
    post.armed()
    assert {"notifier_delivery", "tenants_recipient", "campaigns_shardpayload", "inbox_inboxmessage"} <= set(
        tables_with(CANARY)
    )
    receipt = erase(person)
    assert tables_with(CANARY) == []
    assert (receipt.state, receipt.removed["devices"], receipt.removed["inbox_messages"]) == ("done", 1, 1)
    # the armed message, and the two notifications on two channels each
    assert (receipt.removed["armed_messages"], receipt.removed["messages"]) == (1, 5)
    assert AuditLog.objects.filter(action="recipient.erase", object_id=str(person.pk)).count() == 1


def test_an_armed_campaign_and_a_scheduled_message_do_not_reach_an_erased_person(post: Post) -> None:
    person = a_person(post)
    others = post.people(3)
    a_notification(post, send_at=datetime.now(UTC) + timedelta(days=3))
    campaign = post.running()
    erase(person)
    send(campaign)
    assert sorted(post.client.counted) == sorted(others)
    scheduled = Delivery.objects.filter(recipient_id=person.pk, campaign_id=None)
    assert {(Status(d.status).label, d.reason) for d in scheduled} == {("suppressed", "recipient_erased")}


def test_the_address_stays_suppressed_for_another_recipient(post: Post, tmp_path: Path) -> None:
    person = a_person(post)
    email, phone = person.email, person.phone
    erase(person)
    assert not Suppression.objects.filter(tenant=post.tenant).exists()
    Recipient.objects.create(tenant=post.tenant, external_id="again", email=email.upper())
    file = tmp_path / "people.csv"
    file.write_text(f"external_id,phone\nr2,{phone}\nr3,+491701112233\n")
    with file.open("rb") as stream:
        import_recipients(post.tenant.pk, stream)
    suppressed = Suppression.objects.filter(tenant=post.tenant).values_list("channel", "address", "cause")
    assert set(suppressed) == {("email", email.upper(), "erased"), ("sms", phone, "erased")}


def test_the_suppression_of_an_address_that_another_recipient_has_stays(post: Post) -> None:
    person = a_person(post)
    Recipient.objects.create(tenant=post.tenant, external_id="spouse", email=person.email)
    Suppression.objects.create(tenant=post.tenant, channel="email", address=person.email)
    erase(person)
    assert Suppression.objects.filter(tenant=post.tenant, address__icontains=CANARY).exists()


def test_a_message_that_was_accepted_meanwhile_is_erased_before_the_receipt_says_done(post: Post) -> None:
    person = a_person(post)
    a_notification(post)
    erased = erasure.request(person, Actor())
    deliver("push", (Lane.TRANSACTIONAL,))
    deliver("in_app", (Lane.TRANSACTIONAL,))
    erasure.run_open(datetime.now(UTC))
    erased.refresh_from_db()
    assert erased.state == "running"
    erasure.run_open(datetime.now(UTC) + LATER)
    erased.refresh_from_db()
    assert (erased.state, tables_with(CANARY)) == ("done", [])
    assert not post.client.counted


def test_a_consent_change_loses_its_address_and_nothing_else(people: People) -> None:
    dora = Recipient.objects.create(tenant=people.acme, external_id="dora", email="dora@example.com")
    Device.objects.create(tenant=people.acme, recipient=dora, token="t").delete()
    change = ConsentChange.objects.get(changed="device")
    erasure.request(dora, Actor())
    change.refresh_from_db()
    assert (change.address, change.channel) == ("", "push")
    for column, value in (("changed", "x"), ("address", "y")):
        with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
            ConsentChange.objects.filter(pk=change.pk).update(**{column: value})


def test_over_the_api(people: People, api: Callable[[str | None], Api]) -> None:
    acme, globex = api(people.acme_key), api(people.globex_key)
    dora = Recipient.objects.create(tenant=people.acme, external_id="dora", email="dora@example.com", phone="+491701")
    assert globex("POST", "/v1/recipients/dora/erase").status == 404
    first, again = acme("POST", "/v1/recipients/dora/erase"), acme("POST", "/v1/recipients/dora/erase")
    assert (first.status, first.body["state"], again.body["id"]) == (201, "running", first.body["id"])
    assert acme("GET", "/v1/recipients/dora").body["status"] == "erased"
    assert acme("PUT", "/v1/recipients/dora", {"name": "Dora"}).body["code"] == "erased"
    receipt = f"/v1/erasures/{first.body['id']}"
    assert (acme("GET", receipt).status, globex("GET", receipt).status) == (200, 404)
    erasure.run_open(datetime.now(UTC) + LATER)
    assert acme("GET", receipt).body["state"] == "done"
    dora.refresh_from_db()
    assert (dora.email, dora.phone, dora.attributes) == ("", "", {})


def test_from_the_command_line(people: People) -> None:
    Recipient.objects.create(tenant=people.acme, external_id="dora", email="dora@example.com")
    call_command("erase_recipient", tenant=people.acme.slug, recipient="dora")
    assert Recipient.objects.get(external_id="dora").status == "erased"
