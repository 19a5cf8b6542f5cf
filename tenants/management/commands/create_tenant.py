"""manage.py create_tenant --name "Acme" --slug acme"""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from notifier.errors import NotifierError
from tenants.bootstrap import create_tenant


class Command(BaseCommand):
    help = "Make a tenant with categories, an owner and API keys. Password and keys are printed once and stored hashed."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("--name", required=True)
        parser.add_argument("--slug", required=True)
        parser.add_argument("--admin-username", default="", help="the owner's login; by default <slug>-owner")
        parser.add_argument("--admin-email", default="")
        parser.add_argument("--operator", action="store_true", help="a new owner also sees every other tenant")

    def handle(self, *args: Any, **options: Any) -> None:
        try:
            made = create_tenant(
                options["name"],
                options["slug"],
                options["admin_username"],
                options["admin_email"],
                operator=options["operator"],
            )
        except NotifierError as error:
            raise CommandError(error.message) from error
        kept = "(there before, cannot be shown again)"
        self.stdout.write(f"tenant    {made.tenant.slug}  {made.tenant.pk}")
        self.stdout.write(f"username  {made.user.username}")
        self.stdout.write(f"password  {made.password or kept}")
        self.stdout.write(f"live key  {made.live_key or kept}")
        self.stdout.write(f"test key  {made.test_key or kept}")
