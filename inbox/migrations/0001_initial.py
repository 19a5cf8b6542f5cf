import django.db.models.deletion
from django.db import migrations, models

from notifier.models.partitions import CreatePartitionedModel
from tenants.database.isolation import isolate


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_initial"),
    ]

    operations = [
        migrations.CreateModel(
            name="Feed",
            fields=[
                ("recipient_id", models.UUIDField(primary_key=True, serialize=False)),
                ("last_seq", models.BigIntegerField(default=0)),
                ("unread", models.IntegerField(default=0)),
                (
                    "tenant",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
                    ),
                ),
            ],
        ),
        CreatePartitionedModel(
            name="InboxMessage",
            fields=[
                ("id", models.UUIDField(editable=False, primary_key=True, serialize=False)),
                ("recipient_id", models.UUIDField()),
                ("seq", models.BigIntegerField()),
                ("category", models.CharField(default="", max_length=64)),
                ("title", models.CharField(max_length=500)),
                ("body", models.TextField()),
                ("link", models.CharField(default="", max_length=2000)),
                ("data", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField()),
                ("read_at", models.DateTimeField(null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        # the feed of one person, newest first, and what was missed since a sequence number
        migrations.RunSQL("CREATE INDEX inbox_message_seq ON inbox_inboxmessage (recipient_id, seq)"),
        isolate("inbox_feed"),
        isolate("inbox_inboxmessage"),
    ]
