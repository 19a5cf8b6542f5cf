"""`manage.py reset_second_factor LOGIN`: for a person who lost the phone and the recovery codes."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction

from tenants import audit
from tenants.models import Authenticator, LoginSession, Member, RecoveryCode, User


class Command(BaseCommand):
    help = "Takes the second factor and the recovery codes off a login, and ends its sessions."

    def add_arguments(self, parser: CommandParser) -> None:
        parser.add_argument("login")

    def handle(self, *args: Any, login: str, **options: Any) -> None:
        user = User.objects.filter(username=login).first()
        if user is None:
            raise CommandError(f"There is no login {login!r}.")
        with transaction.atomic():
            removed = Authenticator.objects.filter(user=user).delete()[0]
            RecoveryCode.objects.filter(user=user).delete()
            LoginSession.objects.filter(user=user).delete()
            for tenant_id, pk in Member.objects.filter(user=user).values_list("tenant_id", "pk"):
                audit.record(tenant_id, "member.second_factor_reset", pk)
        self.stdout.write(f"{login}: {'the second factor was taken off' if removed else 'there was no second factor'}.")
