from importlib import import_module
from typing import Any

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_in, user_logged_out
from django.db.models.signals import post_migrate


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = "Tenants and people"

    def ready(self) -> None:
        from notifier.vocabulary.retention import Keep
        from tenants.admin import load_shedding
        from tenants.admin.localization.translated_names import translate_models
        from tenants.admin.search import people
        from tenants.admin.timeline import sources
        from tenants.erasure import register_eraser
        from tenants.imports import jobs
        from tenants.login import login_sessions
        from tenants.models import Import
        from tenants.retention.expiry import Expiry
        from tenants.retention.registry import register

        user_logged_in.connect(login_sessions.record_login)
        user_logged_out.connect(login_sessions.record_logout)
        jobs.register_reader(Import.Kind.RECIPIENTS, jobs.read_recipients)
        _show_json_without_styles()
        people.register()
        load_shedding.register()
        translate_models()
        sources.register()
        register_eraser("import_files", jobs.erase_left_out)
        # the report of an import quotes rows of its file
        register(Expiry("tenants_import", "t.finished_at", Keep.MESSAGES, unless="t.stored <> '' OR t.left_out <> ''"))
        # sent once all migrations have run, those of other apps included
        post_migrate.connect(_apply_grants_and_keys, sender=self)


def _show_json_without_styles() -> None:
    """Unfold colours read-only JSON with style attributes, which the site's Content-Security-Policy blocks, and only
    where Pygments happens to be installed."""
    from tenants.admin.base.json_field import shown_json

    fields: Any = import_module("unfold.fields")
    fields.prettify_json = shown_json


def _apply_grants_and_keys(**_: Any) -> None:
    """Give the web role its rights, and the database the keys by which it recognises the site's signatures."""
    from tenants.database import grants, signed_settings

    grants.apply()
    signed_settings.store_keys()
