from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = "Tenants and people"

    def ready(self) -> None:
        from tenants.imports import jobs
        from tenants.models import Import

        jobs.register_reader(Import.Kind.RECIPIENTS, jobs.read_recipients)
        # sent once all migrations have run, those of other apps included
        post_migrate.connect(_apply_grants_and_keys, sender=self)


def _apply_grants_and_keys(**_: Any) -> None:
    """Give the web role its rights, and the database the keys by which it recognises the site's signatures."""
    from tenants.database import grants, signed_settings

    grants.apply()
    signed_settings.store_keys()
