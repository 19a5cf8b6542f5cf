"""Erasing a person: no table holds them any more, nothing is sent to them, and their addresses stay suppressed."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import DatabaseError, connection, transaction
from django.db.backends.utils import CursorWrapper

from campaigns.models import Campaign
from notifier.delivery import accept
from notifier.delivery.content import templates
from notifier.delivery.digests.closing import close_due
from notifier.delivery.routes import sweep as routes
from notifier.delivery.routes.read_route import read_route
from notifier.delivery.send import deliver
from notifier.delivery.sweep import sweep
from notifier.models import Delivery, DeliveryEvent, OrderingQueue, Template
from notifier.vocabulary.digests import DigestRequest
from notifier.vocabulary.people import SendRequest
from notifier.vocabulary.status import Lane, Status
from tenants import erasure
from tenants.audit import Actor
from tenants.imports import import_recipients
from tenants.models import (
    AuditLog,
    ConsentChange,
    Device,
    Erasure,
    Import,
    OptInProof,
    Preference,
    Recipient,
    Suppression,
)
from tests.campaigns.fake_client import BUSY, Post, post, reported, send
from tests.fixtures import Api, People

__all__ = ["post"]  # a fixture
pytestmark = pytest.mark.django_db(transaction=True)
CANARY = "Quetzalcoatl"
LATER = timedelta(minutes=2)


def a_person(post: Post, **columns: str) -> Recipient:
    values = {"email": f"{CANARY}@mail.example", "phone": "+491709998877", "name": CANARY, "external_id": "r1"}
    person = post.person(f"token-{CANARY}", **values | columns)
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


def test_a_suppression_still_holds_for_another_recipient_with_the_address(post: Post) -> None:
    """The other recipient's message was armed before the suppression."""
    templates.publish(post.template, {"email": {"en": {"subject": "Hello", "text": "{{ unsubscribe_url }}"}}})
    bob = Recipient.objects.create(tenant=post.tenant, external_id="bob", email="both@example.com")
    campaign = post.running(channels=["email"])
    ada = Recipient.objects.create(tenant=post.tenant, external_id="ada", email="both@example.com")
    Suppression.objects.create(tenant=post.tenant, channel="email", address="both@example.com", cause="manual")
    erasure.request(ada, Actor())
    send(campaign)
    assert reported(campaign) == {("suppressed", "address_suppressed"): 1}
    erasure.request(bob, Actor())
    assert not ConsentChange.objects.filter(tenant=post.tenant).exclude(address="").exists()


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


# ---- attacks -------------------------------------------------------------------------------------------------------


def test_an_erasure_does_not_wait_for_a_long_write_of_the_tenant(post: Post) -> None:
    """An import holds a lock on the tenant's row for minutes, as each row with a foreign key to the tenant does."""
    person = a_person(post)
    with other_transaction() as cursor:
        cursor.execute("SELECT FROM tenants_tenant WHERE id = %s FOR KEY SHARE", [post.tenant.pk])
        with transaction.atomic(), connection.cursor() as own:
            own.execute("SET LOCAL lock_timeout = '1s'")
            erasure.request(person, Actor())


def test_a_message_that_a_paused_campaign_holds_is_erased(post: Post) -> None:
    person = a_person(post)
    post.client.fate = lambda address: BUSY
    campaign = post.running()
    send(campaign)
    delivery = Delivery.objects.get(recipient_id=person.pk)
    assert delivery.status == Status.QUEUED
    step = {"tenant": post.tenant, "delivery": delivery, "what": "retry", "at": datetime.now(UTC)}
    event = DeliveryEvent.objects.create(detail=f"no {CANARY} here", **step)
    Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.PAUSED)
    receipt = erase(person)
    assert (receipt.state, tables_with(CANARY)) == ("done", [])
    assert Delivery.objects.get(recipient_id=person.pk).reason == "recipient_erased"
    with pytest.raises(DatabaseError, match="append-only"), transaction.atomic():
        DeliveryEvent.objects.filter(pk=event.pk).update(what="sent")


def test_the_ordering_queues_of_an_erased_person_are_empty(post: Post) -> None:
    person = a_person(post)
    for days in (0, 0, 3):
        a_notification(post, **({"send_at": datetime.now(UTC) + timedelta(days=days)} if days else {}))
    erasure.request(person, Actor())
    erasure.run_open(datetime.now(UTC) + LATER)
    assert set(Delivery.objects.filter(recipient_id=person.pk).values_list("status", flat=True)) == {Status.SUPPRESSED}
    queues = OrderingQueue.objects.filter(recipient_id=person.pk)
    assert set(queues.values_list("unfinished", "turn_taken")) == {(0, False)}


def test_no_table_holds_the_words_of_routes_digests_and_proofs(post: Post) -> None:
    person = a_person(post)
    route = read_route([{"channel": "in_app"}, {"channel": "push", "after": "10m"}])
    a_notification(post, route=route)
    template = Template.objects.create(tenant=post.tenant, key="summary")
    templates.publish(template, {"push": {"en": {"title": "{{ count }}", "body": "{{ items }}"}}})
    a_notification(post, digest=DigestRequest("k", template="summary", window="10m"), group_key="orders")
    OptInProof.objects.create(
        tenant=post.tenant, recipient=person, category="news", entries=["news"], asked_at=datetime.now(UTC),
        asked_by="import", text=f"form of {CANARY}", text_sha256="", language="",
    )  # fmt: skip
    receipt = erase(person)
    assert (receipt.state, tables_with(CANARY)) == ("done", [])
    sweep()
    close_due(accept, datetime.now(UTC) + timedelta(days=2))
    routes.sweep(datetime.now(UTC) + timedelta(days=2))
    deliver("push", (Lane.TRANSACTIONAL,))
    assert (list(post.client.begun), tables_with(CANARY)) == ([], [])


def test_what_an_import_stores_during_the_erasure_is_erased(post: Post) -> None:
    person = a_person(post)
    erased = erasure.request(person, Actor())
    # both had read the recipient before
    Device.objects.create(tenant=post.tenant, recipient=person, token=CANARY)
    Preference.objects.create(tenant=post.tenant, recipient=person, categories_on=["news"])
    person.save()
    erasure.run_open(datetime.now(UTC) + LATER)
    erased.refresh_from_db()
    person.refresh_from_db()
    assert (erased.state, person.status, tables_with(CANARY)) == ("done", "erased", [])
    assert not Preference.objects.filter(recipient=person).exists()


def test_a_request_after_the_erasure_stores_no_word(post: Post) -> None:
    person = a_person(post)
    erase(person)
    a_notification(post)
    assert tables_with(CANARY) == []


def test_a_deleted_suppression_does_not_come_back_with_another_change(post: Post) -> None:
    person = a_person(post)
    email = person.email
    erase(person)
    again = Recipient.objects.create(tenant=post.tenant, external_id="again", email=email)
    assert Suppression.objects.filter(tenant=post.tenant, address=email).delete()[0] == 1
    again.name = "Ann"
    again.save()
    assert not Suppression.objects.filter(tenant=post.tenant, address=email).exists()
    again.email = email.upper()
    again.save()
    assert Suppression.objects.filter(tenant=post.tenant, address=email.upper()).exists()


def test_reports_of_imports_lose_the_address_and_keep_other_rows(post: Post) -> None:
    person = a_person(post, external_id="1")
    upload = Import.objects.create(
        tenant=post.tenant, filename="f.csv", stored="", problems=[[11, f"email: '{person.email} '"], [2, "phone: '1'"]]
    )
    erase(person)
    upload.refresh_from_db()
    assert upload.problems == [[2, "phone: '1'"]]


def test_a_letter_that_python_writes_small_otherwise_is_suppressed(post: Post) -> None:
    person = a_person(post, email="İpek@mail.example")
    erase(person)
    Recipient.objects.create(tenant=post.tenant, external_id="again", email="İpek@mail.example")
    assert Suppression.objects.filter(tenant=post.tenant, cause="erased").exists()


def test_an_erasure_that_cannot_end_does_not_keep_the_others(post: Post) -> None:
    rows = [Erasure(tenant=post.tenant, recipient_id=uuid.uuid4(), requested_at=datetime.now(UTC) + LATER * 9)
            for _ in range(erasure.BATCH)]  # fmt: skip
    Erasure.objects.bulk_create(rows)
    assert erase(a_person(post)).state == "done"


def test_an_erasure_that_the_database_refuses_does_not_keep_the_others(
    post: Post, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = erasure.request(post.person("t1", external_id="first"), Actor())

    def refuse(tenant_id: uuid.UUID, recipient_id: uuid.UUID) -> erasure.Erased:
        if recipient_id == first.recipient_id:
            AuditLog.objects.filter(tenant_id=tenant_id).delete()  # append-only
        return erasure.Erased(0)

    monkeypatch.setitem(erasure._erasers, "refused", refuse)
    assert erase(a_person(post)).state == "done"
    first.refresh_from_db()
    assert first.state == "running"


def test_a_row_that_another_process_has_locked_is_erased_before_the_receipt_says_done(post: Post) -> None:
    person = a_person(post)
    a_notification(post)
    for channel in ("push", "in_app"):
        deliver(channel, (Lane.TRANSACTIONAL,))
    with other_transaction() as cursor:
        cursor.execute("SELECT FROM notifier_delivery WHERE recipient_id = %s FOR UPDATE", [person.pk])
        assert erase(person).state == "running"
    assert erase(person).state == "done"
    assert tables_with(CANARY) == []


@contextmanager
def other_transaction() -> Iterator[CursorWrapper]:
    """A transaction of another process."""
    other = connection.copy()
    try:
        other.set_autocommit(False)
        with other.cursor() as cursor:
            yield cursor
        other.rollback()
    finally:
        other.close()
