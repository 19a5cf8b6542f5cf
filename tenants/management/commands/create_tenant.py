"""manage.py create_tenant --name "Acme" --slug acme"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifier.errors import NotifierError
from tenants.bootstrap import create_tenant


class Command(BaseCommand):
    help = (
        "Create a tenant with categories, an owner and API keys. Password and keys are printed once and stored hashed."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--slug", required=True)
        parser.add_argument("--admin-username", default="", help="the owner's login; by default <slug>-owner")
        parser.add_argument("--admin-email", default="")
        parser.add_argument("--operator", action="store_true", help="a new owner also sees every other tenant")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            created = create_tenant(
                options["name"],
                options["slug"],
                options["admin_username"],
                options["admin_email"],
                operator=options["operator"],
            )
        except NotifierError as error:
            raise CommandError(error.message) from error
        existing = "(existed before, cannot be shown again)"
        self.stdout.write(f"tenant    {created.tenant.slug}  {created.tenant.pk}")
        self.stdout.write(f"username  {created.user.username}")
        self.stdout.write(f"password  {created.password or existing}")
        self.stdout.write(f"live key  {created.live_key or existing}")
        self.stdout.write(f"test key  {created.test_key or existing}")
