"""Categories in the admin: refused deletion, archiving, and what the template form offers."""

from __future__ import annotations

import pytest

from notifier.models import Template
from tenants import categories
from tenants.models import AuditLog, Category, Preference, Recipient, User
from tests.admin.conftest import World
from tests.admin.filled_forms import LogIn, errors, template
from tests.admin.test_pages import url

pytestmark = pytest.mark.django_db
IN_APP = {"in_app": {"en": {"title": "Hi", "body": "x"}}}


def chosen(action: str, *rows: Category) -> dict[str, object]:
    return {"action": action, "_selected_action": [str(row.pk) for row in rows], "post": "yes"}


@pytest.fixture
def unused(world: World) -> Category:
    return Category.objects.create(tenant=world.people.acme, key="unused", name="Unused")


def test_a_category_in_use_is_not_deleted_by_its_page_or_by_the_list(
    world: World, log_in: LogIn, olga: User, unused: Category
) -> None:
    used = world.mine[Category]
    for user in (world.people.ben, olga):
        browser = log_in(user)
        page = browser.get(url(Category, "delete", used.pk)).content.decode()
        assert "In use by" in page and "template zebra-welcome" in page
        browser.post(url(Category, "delete", used.pk), {"post": "yes"})
        browser.post(url(Category, "changelist"), chosen("delete_selected", used, unused))
    assert Template.objects.get(key="zebra-welcome").category == used
    assert Category.objects.filter(pk=unused.pk).exists()
    assert not AuditLog.objects.filter(action="category.deleted").exists()


def test_an_unused_category_is_deleted_and_everybodys_no_is_kept(world: World, log_in: LogIn, unused: Category) -> None:
    someone = Recipient.objects.create(tenant=world.people.acme, external_id="no")
    Preference.objects.create(tenant=world.people.acme, recipient=someone, categories_off=["unused"])
    assert log_in(world.people.ben).post(url(Category, "delete", unused.pk), {"post": "yes"}).status_code == 302
    assert not Category.objects.filter(pk=unused.pk).exists()
    assert Preference.objects.get(recipient=someone).categories_off == ["unused"]
    assert AuditLog.objects.filter(action="category.deleted").count() == 1


def test_a_use_that_began_after_the_page_was_shown_keeps_the_category(
    world: World, log_in: LogIn, unused: Category
) -> None:
    answers: list[list[categories.CategoryUse]] = [[categories.CategoryUse("template late")], []]

    def late_template(category: Category) -> list[categories.CategoryUse]:
        return answers.pop()

    categories.add_use_finder(late_template)
    try:
        answer = log_in(world.people.ben).post(url(Category, "delete", unused.pk), {"post": "yes"})
    finally:
        categories.remove_use_finder(late_template)
    assert (answer.status_code, answers) == (302, [])
    assert Category.objects.filter(pk=unused.pk).exists()
    assert not AuditLog.objects.filter(action="category.deleted").exists()


def test_an_archived_category_is_offered_to_its_own_template_only(world: World, log_in: LogIn, vera: User) -> None:
    category, browser = world.mine[Category], log_in(world.people.ben)
    log_in(vera).post(url(Category, "changelist"), chosen("archive", category))
    assert not Category.objects.get(pk=category.pk).archived
    browser.post(url(Category, "changelist"), chosen("archive", category, world.other[Category]))
    assert Category.objects.get(pk=category.pk).archived
    assert not Category.objects.get(pk=world.other[Category].pk).archived
    fresh = {**template(world, IN_APP, "fresh"), "category": str(category.pk)}
    assert "category" in errors(browser.post(url(Template, "add"), fresh))
    kept = {**template(world, IN_APP, "zebra-welcome"), "category": str(category.pk)}
    assert browser.post(url(Template, "change", world.mine[Template].pk), kept).status_code == 302
    browser.post(url(Category, "changelist"), chosen("restore", category))
    assert browser.post(url(Template, "add"), fresh).status_code == 302
    verbs = AuditLog.objects.filter(object_id=str(category.pk)).order_by("id").values_list("action", flat=True)
    assert list(verbs) == ["category.archived", "category.restored"]


def test_a_kind_that_would_pass_somebodys_no_is_refused_at_its_field(world: World, log_in: LogIn) -> None:
    category = world.mine[Category]
    someone = Recipient.objects.create(tenant=world.people.acme, external_id="no")
    Preference.objects.create(tenant=world.people.acme, recipient=someone, categories_off=[f"{category.key}:push"])
    browser, page = log_in(world.people.ben), url(Category, "change", category.pk)
    assert "kind" in errors(browser.post(page, {"name": "News", "kind": "critical"}))
    assert browser.post(page, {"name": "News", "kind": "marketing"}).status_code == 302
    made = {"tenant": str(world.people.acme.pk), "key": category.key, "name": "x", "kind": "critical"}
    Template.objects.filter(category=category).update(category=None)
    category.delete()
    assert "kind" in errors(browser.post(url(Category, "add"), made))
