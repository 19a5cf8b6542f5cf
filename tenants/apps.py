from typing import Any

from django.apps import AppConfig
from django.db.models.signals import post_migrate


class TenantsConfig(AppConfig):
    name = "tenants"
    verbose_name = "Tenants and people"

    def ready(self) -> None:
        # sent once all migrations have run, those of other apps included
        post_migrate.connect(_open_to_web, sender=self)


def _open_to_web(**_: Any) -> None:
    """Tell the database what the web role may do, and by which keys it knows the site."""
    from tenants.database import grants, signed_settings

    grants.apply()
    signed_settings.store_keys()
