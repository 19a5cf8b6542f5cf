"""Categories in the admin: refused deletion, archiving, and what the template form offers."""

from __future__ import annotations

import pytest

from notifier.models import FrequencyCap, Template
from tenants import categories
from tenants.models import AuditLog, Category, Preference, Recipient, User
from tests.admin.conftest import Site, url
from tests.admin.filled_forms import LogIn, errors, template

pytestmark = pytest.mark.django_db
IN_APP = {"in_app": {"en": {"title": "Hi", "body": "x"}}}


def chosen(action: str, *rows: Category) -> dict[str, object]:
    return {"action": action, "_selected_action": [str(row.pk) for row in rows], "post": "yes"}


@pytest.fixture
def unused(site: Site) -> Category:
    return Category.objects.create(tenant=site.people.acme, key="unused", name="Unused")


def test_a_category_in_use_is_not_deleted_by_its_page_or_by_the_list(
    site: Site, log_in: LogIn, olga: User, unused: Category
) -> None:
    used = site.acme_rows[Category]
    for user in (site.people.ben, olga):
        browser = log_in(user)
        page = browser.get(url(Category, "delete", used.pk)).content.decode()
        assert "In use by" in page and "template zebra-welcome" in page
        browser.post(url(Category, "delete", used.pk), {"post": "yes"})
        browser.post(url(Category, "changelist"), chosen("delete_selected", used, unused))
    assert Template.objects.get(key="zebra-welcome").category == used
    assert Category.objects.filter(pk=unused.pk).exists()
    assert not AuditLog.objects.filter(action="category.deleted").exists()


def test_an_unused_category_is_deleted_and_opt_outs_are_kept(site: Site, log_in: LogIn, unused: Category) -> None:
    someone = Recipient.objects.create(tenant=site.people.acme, external_id="no")
    Preference.objects.create(tenant=site.people.acme, recipient=someone, categories_off=["unused"])
    assert log_in(site.people.ben).post(url(Category, "delete", unused.pk), {"post": "yes"}).status_code == 302
    assert not Category.objects.filter(pk=unused.pk).exists()
    assert Preference.objects.get(recipient=someone).categories_off == ["unused"]
    assert AuditLog.objects.filter(action="category.deleted").count() == 1


def test_a_use_that_began_after_the_page_was_shown_keeps_the_category(
    site: Site, log_in: LogIn, unused: Category
) -> None:
    answers: list[list[categories.CategoryUse]] = [[categories.CategoryUse("template late")], []]

    def late_template(category: Category) -> list[categories.CategoryUse]:
        return answers.pop()

    categories.add_use_finder(late_template)
    try:
        answer = log_in(site.people.ben).post(url(Category, "delete", unused.pk), {"post": "yes"})
    finally:
        categories.remove_use_finder(late_template)
    assert (answer.status_code, answers) == (302, [])
    assert Category.objects.filter(pk=unused.pk).exists()
    assert not AuditLog.objects.filter(action="category.deleted").exists()


def test_an_archived_category_is_offered_to_its_own_template_only(site: Site, log_in: LogIn, vera: User) -> None:
    category, browser = site.acme_rows[Category], log_in(site.people.ben)
    log_in(vera).post(url(Category, "changelist"), chosen("archive", category))
    assert not Category.objects.get(pk=category.pk).archived
    browser.post(url(Category, "changelist"), chosen("archive", category, site.globex_rows[Category]))
    assert Category.objects.get(pk=category.pk).archived
    assert not Category.objects.get(pk=site.globex_rows[Category].pk).archived
    fresh = {**template(site, IN_APP, "fresh"), "category": str(category.pk)}
    assert "category" in errors(browser.post(url(Template, "add"), fresh))
    kept = {**template(site, IN_APP, "zebra-welcome"), "category": str(category.pk)}
    assert browser.post(url(Template, "change", site.acme_rows[Template].pk), kept).status_code == 302
    browser.post(url(Category, "changelist"), chosen("restore", category))
    assert browser.post(url(Template, "add"), fresh).status_code == 302
    verbs = AuditLog.objects.filter(object_id=str(category.pk)).order_by("id").values_list("action", flat=True)
    assert list(verbs) == ["category.archived", "category.restored"]


def test_a_kind_that_would_ignore_an_opt_out_is_refused_at_its_field(site: Site, log_in: LogIn) -> None:
    category = site.acme_rows[Category]
    someone = Recipient.objects.create(tenant=site.people.acme, external_id="no")
    Preference.objects.create(tenant=site.people.acme, recipient=someone, categories_off=[f"{category.key}:push"])
    browser, page = log_in(site.people.ben), url(Category, "change", category.pk)
    assert "kind" in errors(browser.post(page, {"name": "News", "kind": "critical", "over_cap": "drop"}))
    assert browser.post(page, {"name": "News", "kind": "marketing", "over_cap": "drop"}).status_code == 302
    made = {
        "tenant": str(site.people.acme.pk),
        "key": category.key,
        "name": "x",
        "kind": "critical",
        "over_cap": "drop",
    }
    Template.objects.filter(category=category).update(category=None)
    FrequencyCap.objects.filter(category=category).delete()
    category.delete()
    assert "kind" in errors(browser.post(url(Category, "add"), made))
