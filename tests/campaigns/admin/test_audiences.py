"""Audiences in the admin: who they are is said once and plainly. As the web role."""

from __future__ import annotations

import html
import re
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.urls import reverse

from campaigns.models import Audience, AudienceMember, Campaign, Shard
from notifier.delivery.content import templates
from tenants.models import Recipient
from tests.campaigns.admin.test_pages import ADD, Browse, form
from tests.campaigns.conftest import Site, armed, page, text


def test_an_audience_shows_how_many_and_who(site: Site, browser: Browse) -> None:
    change, look = reverse("admin:campaigns_audience_change", args=[site.everybody.pk]), "admin:campaigns_audience_look"
    shown = text(browser(site.people.ben).post(reverse(look), change, audience=site.everybody.pk))
    assert "4 people now" in shown and "ada" in shown and "zoe" not in shown
    assert "4 people when last counted" in text(browser(site.vic).get(change))
    assert "4 people now" in text(browser(site.vic).post(reverse(look), change, audience=site.everybody.pk))
    stranger = browser(site.people.cleo).post(reverse(look), reverse("admin:index"), audience=site.everybody.pk)
    assert stranger.status_code == 404


def test_a_wrong_filter_is_explained_in_the_form(site: Site, browser: Browse) -> None:
    fields = {"tenant": site.acme.pk, "name": "X", "source": "segment"}
    wrong = '[{"field": "email", "op": "like", "value": "x"}]'
    answer = browser(site.people.ben).post("/admin/campaigns/audience/add/", **fields, filter=wrong)
    assert "filter.0.op: email can be compared with" in text(answer)


CONDITION = '[{"field": "name", "op": "eq", "value": "Ada"}]'
IDS = b"external_id\nada\nbob\n"
ONE_CHOICE = 'the source is "{}", which would ignore it'


@pytest.mark.parametrize(
    ("source", "filter_", "file", "expected_text"),
    [
        ("segment", CONDITION, b"", ""),
        ("segment", CONDITION, IDS, ONE_CHOICE),
        ("segment", "", IDS, ONE_CHOICE),
        ("segment", "[]", IDS, ONE_CHOICE),
        ("segment", "", b"", 'choose the source "everybody"'),
        ("segment", "[]", b"", 'choose the source "everybody"'),
        ("segment", "{}", b"", "must be a list of conditions"),
        ("segment", "nonsense", IDS, "Enter a valid JSON"),
        ("list", "", IDS, ""),
        ("list", "[]", IDS, ""),
        ("list", CONDITION, IDS, ONE_CHOICE),
        ("list", CONDITION, b"", ONE_CHOICE),
        ("list", "", b"", "A list needs its file"),
        ("list", "", b"external_id\n", "names no usable external id"),
        ("list", "", b"email\nada@example.com\n", "only column is email"),
        ("everybody", "", b"", ""),
        ("everybody", "[]", b"", ""),
        ("everybody", CONDITION, b"", ONE_CHOICE),
        ("everybody", "", IDS, ONE_CHOICE),
        ("everybody", CONDITION, IDS, ONE_CHOICE),
        ("", "", IDS, "required"),
        ("", CONDITION, b"", "required"),
    ],
)
def test_who_an_audience_is_must_be_said_once(
    site: Site, browser: Browse, source: str, filter_: str, file: bytes, expected_text: str
) -> None:
    fields: dict[str, Any] = {"tenant": site.acme.pk, "name": "X", "source": source, "filter": filter_}
    if file:
        fields["upload"] = SimpleUploadedFile("list.csv", file)
    answer = browser(site.people.ben).post("/admin/campaigns/audience/add/", **fields)
    created = Audience.objects.filter(name="X").first()
    if expected_text:
        assert expected_text.format(source) in html.unescape(text(answer))
        assert created is None and not AudienceMember.objects.exists()
    else:
        assert created is not None and created.source == source
        assert AudienceMember.objects.count() == (2 if file else 0)


def test_a_segment_cannot_be_edited_into_everybody(site: Site, browser: Browse) -> None:
    condition = [{"field": "name", "op": "eq", "value": "Ada"}]
    own_list = Audience.objects.create(tenant=site.acme, name="Ada", source="segment", filter=condition)
    change = reverse("admin:campaigns_audience_change", args=[own_list.pk])
    for empty in ("", "[]"):
        answer = browser(site.people.ben).post(change, name="Ada", filter=empty)
        assert "needs at least one condition" in text(answer)
    own_list.refresh_from_db()
    assert own_list.filter == condition


def test_everybody_and_a_list_are_renamed_without_a_filter(site: Site, browser: Browse) -> None:
    own_list = Audience.objects.create(tenant=site.acme, name="List", source="list")
    for audience in (site.everybody, own_list):
        change = reverse("admin:campaigns_audience_change", args=[audience.pk])
        browser(site.people.ben).post(change, name=f"New {audience.source}")
        audience.refresh_from_db()
        assert audience.name == f"New {audience.source}"


def test_an_audience_and_a_file_for_one_campaign_are_refused(site: Site, browser: Browse) -> None:
    csv = SimpleUploadedFile("list.csv", IDS)
    answer = text(browser(site.people.ben).post(ADD, **form(site, upload=csv)))
    assert "Both an audience (“Everybody”) and a file (“upload”) were given" in answer
    assert not Campaign.objects.exists() and Audience.objects.count() == 1
    draft = site.draft()
    csv = SimpleUploadedFile("list.csv", IDS)
    answer = text(browser(site.people.ben).post(page("change", draft), **form(site, upload=csv)))
    assert "Both an audience" in answer
    draft.refresh_from_db()
    assert draft.audience == site.everybody


@pytest.mark.parametrize(
    ("file", "level", "expected_text"),
    [
        (b"external_id\nada\nbob\n", "success", "All 2 are recipients"),
        (b"external_id\nada\nnobody\n", "warning", "1 are recipients, 1 are not: nobody"),
        (b"ada@example.com\nbob@example.com\n", "error", "None of the ids is a recipient"),
        (b"external_id,x\nada,1\n,2\n", "warning", "1 unusable"),
    ],
)
def test_a_list_is_green_only_when_everybody_in_it_is_known(
    site: Site, browser: Browse, file: bytes, level: str, expected_text: str
) -> None:
    answer = browser(site.people.ben).post(ADD, **form(site, audience="", upload=SimpleUploadedFile("list.csv", file)))
    shown = re.findall(r'(?s)<div class="[^"]*bg-(\w+)-100[^"]*">(.*?)</div>', answer.content.decode())
    colors = {"green": "success", "orange": "warning", "red": "error"}
    assert [colors[color] for color, message in shown if expected_text in message] == [level]


def test_replacing_a_list_returns_what_was_armed_with_it_to_draft(site: Site, browser: Browse) -> None:
    own_list = Audience.objects.create(tenant=site.acme, name="List", source="list")
    AudienceMember.objects.create(tenant=site.acme, audience=own_list, external_id="ada")
    campaign = armed(site.draft(audience=own_list))
    upload = reverse("admin:campaigns_audience_upload", args=[own_list.pk])
    csv = SimpleUploadedFile("list.csv", b"bob\ncy\n")
    assert "2 external ids stored" in text(browser(site.people.ben).post(upload, upload=csv))
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.DRAFT


def test_a_list_is_deleted_with_its_members_unless_a_campaign_uses_it(site: Site, browser: Browse) -> None:
    own_list = Audience.objects.create(tenant=site.acme, name="List", source="list", size=1)
    AudienceMember.objects.create(tenant=site.acme, audience=own_list, external_id="ada")
    campaign, ben = site.draft(audience=own_list), browser(site.people.ben)
    delete = reverse("admin:campaigns_audience_delete", args=[own_list.pk])
    assert "In use by 1 campaign." in text(ben.get(delete))
    campaign.delete()
    assert "List: 1 ids" in text(ben.get(delete))
    ben.post(delete, post="yes")
    assert not AudienceMember.objects.exists() and not Audience.objects.filter(pk=own_list.pk).exists()


def test_a_written_filter_is_looked_at_by_authors_of_the_tenant_only(site: Site, browser: Browse) -> None:
    url = reverse("admin:campaigns_audience_look")
    asked = {"tenant": site.acme.pk, "filter": '[{"field": "external_id", "op": "in", "value": ["ada", "zoe"]}]'}
    form_at = reverse("admin:campaigns_audience_add")
    ben = browser(site.people.ben)
    seen = text(ben.post(url, form_at, **asked))
    assert "1 person now" in seen and "Ada" in seen and "Zoe" not in seen and "fcm" in seen.lower()
    wrong = '[{"any": [{"field": "email", "op": "like", "value": "x"}]}]'
    for filter_, field in (("[{", "filter"), ("[]", "filter"), (wrong, "filter.0.any.0.op")):
        answer = ben.post(url, form_at, **{**asked, "filter": filter_})
        assert answer.status_code == 400 and answer.json()["field"] == field and answer.json()["message"]
    assert browser(site.people.cleo).post(url, form_at, **asked).status_code == 400
    assert browser(site.vic).post(url, reverse("admin:index"), **asked).status_code == 400


def test_the_builder_knows_the_tenants_attributes_lists_and_categories(site: Site, browser: Browse) -> None:
    Recipient.objects.filter(tenant=site.acme, external_id="ada").update(attributes={"plan": "pro", "a": {"b": 5}})
    Recipient.objects.filter(tenant=site.people.globex).update(attributes={"secret": "x"})
    foreign = Audience.objects.create(tenant=site.people.globex, name="Foreign", source="list")
    own = Audience.objects.create(tenant=site.acme, name="Own list", source="list")
    url = f"{reverse('admin:campaigns_audience_vocabulary')}?tenant={site.acme.pk}"
    shown = browser(site.people.ben).get(url)
    fields = {field["name"]: field for group in shown.json()["groups"] for field in group["fields"]}
    assert fields["attributes.plan"]["suggestions"] == ["pro"]
    assert fields["attributes.a.b"]["operators"][0] == {"op": "eq", "label": "equals", "input": "number", "value": None}
    assert fields["list"]["choices"] == [[str(own.pk), "Own list"]]
    assert fields["opted_in"]["choices"] == [["news", "News"]]
    assert "secret" not in shown.content.decode() and str(foreign.pk) not in shown.content.decode()
    assert browser(site.people.cleo).get(url).status_code == 400


def test_an_audience_is_copied_with_its_ids_by_a_post_of_an_author(site: Site, browser: Browse) -> None:
    own_list = Audience.objects.create(tenant=site.acme, name="List", source="list", size=1)
    AudienceMember.objects.create(tenant=site.acme, audience=own_list, external_id="ada")
    copy = reverse("admin:campaigns_audience_copy", args=[own_list.pk])
    change = reverse("admin:campaigns_audience_change", args=[own_list.pk])
    assert browser(site.people.ben).get(copy).status_code == 403
    assert browser(site.vic).post(copy, change).status_code == 403
    assert browser(site.people.cleo).post(copy, reverse("admin:index")).status_code == 404
    assert "This is the copy" in text(browser(site.people.ben).post(copy, change))
    copied = Audience.objects.get(name="List (copy)")
    assert (copied.size, copied.members.get().external_id) == (1, "ada")


def test_a_list_that_a_segment_names_is_not_deleted(site: Site, browser: Browse) -> None:
    own_list = Audience.objects.create(tenant=site.acme, name="List", source="list")
    filter_ = [{"none": [{"field": "list", "op": "eq", "value": str(own_list.pk)}]}]
    Audience.objects.create(tenant=site.acme, name="Not on it", source="segment", filter=filter_)
    delete = reverse("admin:campaigns_audience_delete", args=[own_list.pk])
    assert "Not on it" in html.unescape(text(browser(site.people.ben).get(delete)))
    browser(site.people.ben).post(delete, post="yes")
    assert Audience.objects.filter(pk=own_list.pk).exists()


def test_a_topic_is_made_sent_and_reported_in_the_admin(site: Site, browser: Browse) -> None:
    templates.publish(site.template, {"push": {"en": {"title": "News", "body": "{{ what }} is here"}}})
    ben = browser(site.people.ben)
    add = text(ben.get("/admin/campaigns/audience/add/"))
    assert "quiet hours of Notifier do not hold" in add
    fields = {"tenant": site.acme.pk, "name": "Topic", "source": "topic", "locale": "", "app": ""}
    wrong = ben.post("/admin/campaigns/audience/add/", **fields, topic="'news' in topics & 'de' in topics")
    assert "Position 18 (&): write && for “and”" in html.unescape(text(wrong))
    ben.post("/admin/campaigns/audience/add/", **fields, topic="/topics/news")
    audience = Audience.objects.get(name="Topic")
    assert audience.topic == "news"
    shown = text(ben.get(reverse("admin:campaigns_audience_change", args=[audience.pk])))
    assert "unknown devices: Google does not tell who subscribed" in shown
    campaign = site.draft(channels=["push"], audience=audience)
    assert "It goes to the topic news , as one message" in text(ben.get(page("change", campaign)))
    armed(campaign)
    assert "What the devices of the topic news get" in text(ben.get(page("change", campaign)))
    campaign.refresh_from_db()
    go = {"revision": campaign.revision, "rollout": "all"}
    assert "Opt-outs, suppressions, blocked" in text(ben.post(page("go", campaign), page("go", campaign), **go))
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.ARMED
    ben.post(page("go", campaign), page("go", campaign), **go, ignore_opt_outs="on")
    campaign.refresh_from_db()
    assert campaign.state == Campaign.State.RUNNING
    Shard.objects.filter(campaign=campaign).update(state="done", begun=1, sent=1)
    Campaign.objects.filter(pk=campaign.pk).update(state=Campaign.State.FINISHED)
    report = text(ben.get(page("change", campaign)))
    assert "to the topic news: Google does not tell how many devices." in report
