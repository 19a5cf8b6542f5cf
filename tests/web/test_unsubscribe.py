"""The link by which a recipient opts out: what opens it, what changes by it, and whom it never reaches."""

from __future__ import annotations

import uuid
from concurrent.futures import ThreadPoolExecutor

import pytest
from django.db import connection
from django.test import Client
from django.test.utils import CaptureQueriesContext
from structlog.testing import capture_logs

from notifier.delivery.content.links.unsubscribe_link import OptOut, link_to, read_token
from tenants.models import Preference, Recipient
from tests.fixtures import People

FORM = "application/x-www-form-urlencoded"


@pytest.fixture
def ann(people: People) -> Recipient:
    return Recipient.objects.create(tenant=people.acme, external_id="ann", email="ann@mail.example")


@pytest.fixture
def bob(people: People) -> Recipient:
    return Recipient.objects.create(tenant=people.globex, external_id="bob", email="bob@mail.example")


def path_of(recipient: Recipient, category: str = "promotions") -> str:
    return "/" + link_to(OptOut(recipient.tenant_id, recipient.pk, "email", category)).split("/", 3)[3]


def opted_out(recipient: Recipient) -> list[str]:
    return [entry for row in Preference.objects.filter(recipient=recipient) for entry in row.categories_off]


@pytest.mark.django_db
def test_only_a_post_changes_something(ann: Recipient, bob: Recipient, client: Client) -> None:
    path = path_of(ann)
    for call in (client.get, client.head, client.options):
        assert call(path).status_code == 200
    assert client.put(path).status_code == 405
    assert opted_out(ann) == []
    assert client.post(path).status_code == 200
    assert opted_out(ann) == ["promotions:email"]


@pytest.mark.django_db
def test_a_link_that_this_site_did_not_make_opens_nothing(ann: Recipient, bob: Recipient, client: Client) -> None:
    path = path_of(ann)
    token = path.rpartition("/")[2]
    spliced = path_of(bob).rpartition("/")[2][:20] + token[20:]
    broken = ["x", "ü", "%00", "A" * 22, "A" * 10_000, token[:-1], token[1:], token[:30], spliced]
    assert [client.post(f"/unsubscribe/{each}").status_code for each in broken] == [404] * len(broken)
    assert opted_out(ann) == opted_out(bob) == []


@pytest.mark.django_db
def test_a_link_outlives_its_recipient_its_category_and_its_tenant(
    ann: Recipient, bob: Recipient, client: Client
) -> None:
    gone = OptOut(ann.tenant_id, uuid.uuid4(), "email", "no-such-category")
    path = "/" + link_to(gone).split("/", 3)[3]
    assert client.get(path).status_code == client.post(path).status_code == 200
    assert not Preference.objects.filter(recipient_id=gone.recipient_id).exists()
    path = "/" + link_to(gone._replace(tenant_id=uuid.uuid4())).split("/", 3)[3]
    assert client.get(path).status_code == client.post(path).status_code == 404


@pytest.mark.django_db
def test_nothing_is_stored_of_an_erased_recipient(ann: Recipient, client: Client) -> None:
    Recipient.objects.filter(pk=ann.pk).update(status="erased")
    assert client.post(path_of(ann)).status_code == 200
    assert not Preference.objects.filter(recipient=ann).exists()


@pytest.mark.django_db
def test_a_recipient_of_another_tenant_is_not_reached(ann: Recipient, bob: Recipient, client: Client) -> None:
    mixed = OptOut(ann.tenant_id, bob.pk, "email", "promotions")
    assert client.post("/" + link_to(mixed).split("/", 3)[3]).status_code == 200
    assert opted_out(bob) == []


@pytest.mark.django_db(transaction=True)
def test_posts_at_the_same_time_opt_out_once(ann: Recipient) -> None:
    path = path_of(ann)

    def post(_: int) -> int:
        try:
            return Client().post(path).status_code
        finally:
            connection.close()

    with ThreadPoolExecutor(8) as threads:
        assert set(threads.map(post, range(16))) == {200}
    assert opted_out(ann) == ["promotions:email"]


def test_noise_is_no_token() -> None:
    assert read_token("") is None


@pytest.mark.django_db
def test_the_log_has_no_token(ann: Recipient, client: Client) -> None:
    with capture_logs() as lines:
        client.get(path_of(ann))
    [request] = [line for line in lines if line.get("action") == "request"]
    assert request["path"] == "/unsubscribe/…"


@pytest.mark.django_db
def test_a_mail_program_opts_out_as_gmail_asks(ann: Recipient) -> None:
    """RFC 8058, section 3.2: a POST of this form, without a login, a cookie or a redirect; one statement stores it."""
    stranger = Client(enforce_csrf_checks=True)
    with CaptureQueriesContext(connection) as queries:
        answer = stranger.post(path_of(ann), "List-Unsubscribe=One-Click", content_type=FORM)
    assert answer.status_code == 200 and not answer.cookies and "Location" not in answer.headers
    assert sum("tenants_preference" in query["sql"] for query in queries) == 1
    assert opted_out(ann) == ["promotions:email"]
    Preference.objects.update(categories_off=["promotions"], language="de")
    stranger.post(path_of(ann), "List-Unsubscribe=One-Click", content_type=FORM)
    assert opted_out(ann) == ["promotions"]


@pytest.mark.django_db
def test_the_page_speaks_the_recipients_language(ann: Recipient, client: Client) -> None:
    Recipient.objects.filter(pk=ann.pk).update(locale="de-AT")
    asked = client.get(path_of(ann), headers={"accept-language": "en"}).content.decode()
    assert "Möchten Sie keine Nachrichten zu „promotions“ von ACME mehr erhalten (E-Mail)?" in asked
    assert "Sie erhalten keine Nachrichten" in client.post(path_of(ann)).content.decode()
