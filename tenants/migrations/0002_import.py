import django.db.models.deletion
from django.conf import settings
from django.db import migrations, models

import notifier.vocabulary
from tenants.isolation import isolate


class Migration(migrations.Migration):
    dependencies = [
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Import",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("refused", "Refused: the file is not what it claims, nothing was changed"),
                            ("failed", "Failed: nothing was changed"),
                        ],
                        default="waiting",
                        editable=False,
                        max_length=10,
                    ),
                ),
                ("filename", models.CharField(editable=False, max_length=255)),
                ("stored", models.CharField(editable=False, max_length=255)),
                ("size", models.BigIntegerField(default=0, editable=False)),
                ("bytes_read", models.BigIntegerField(default=0, editable=False)),
                ("rows", models.IntegerField(default=0, editable=False)),
                ("created", models.IntegerField(default=0, editable=False)),
                ("updated", models.IntegerField(default=0, editable=False)),
                ("unchanged", models.IntegerField(default=0, editable=False)),
                ("devices", models.IntegerField(default=0, editable=False)),
                ("rejected", models.IntegerField(default=0, editable=False)),
                ("problems", models.JSONField(default=list, editable=False)),
                ("failure", models.CharField(blank=True, editable=False, max_length=500)),
                ("attempts", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("finished_at", models.DateTimeField(editable=False, null=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-id"], name="import_newest"),
                    models.Index(
                        condition=models.Q(("state__in", ["waiting", "running"])), fields=["id"], name="import_open"
                    ),
                ],
            },
        ),
        isolate("tenants_import"),
    ]
