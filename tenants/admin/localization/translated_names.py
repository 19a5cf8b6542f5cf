"""The names of models, fields and choices that people see in the admin, in their language.

Django makes the names of fields and of some choices from the code's own, so that no text stands where `makemessages`
would find it: `names_of_models`, `names_of_fields` and `names_of_choices` hold these texts. `translate_models` puts
lazy translations in the place of the English names. Migrations and the API keep English: they run without a language.

Called by `tenants.apps` when all models are loaded.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.apps import apps
from django.db.models import Model
from django.utils.functional import Promise
from django.utils.translation import gettext_lazy

PACKAGES = ("notifier", "tenants", "campaigns", "inbox")


def translate_models() -> None:
    for model in own_models():
        meta: Any = model._meta
        meta.verbose_name, meta.verbose_name_plural = _lazy(meta.verbose_name), _lazy(meta.verbose_name_plural)
        for field in own_fields(model):
            field.verbose_name = _lazy(field.verbose_name)
            if field.choices:
                field.choices = [(value, _lazy(label)) for value, label in field.flatchoices]


def own_models() -> Iterator[type[Model]]:
    for package in PACKAGES:
        yield from apps.get_app_config(package).get_models()


def own_fields(model: type[Model]) -> Iterator[Any]:
    yield from (*model._meta.local_fields, *model._meta.local_many_to_many)


def _lazy(text: Any) -> Any:
    return text if isinstance(text, Promise) else gettext_lazy(text)
