import django.db.models.deletion
from django.db import migrations, models

from notifier.models.partitions import CreatePartitionedModel
from tenants.database.isolation import isolate

# Storing a message writes into the first index only. Every list is of one state, newest first, or merges two of them;
# a category is compared inside of the index
INDEXES = """
CREATE INDEX inbox_message_list ON inbox_inboxmessage (recipient_id, state, seq, category);
CREATE INDEX inbox_message_changed ON inbox_inboxmessage (recipient_id, revision) WHERE revision > 0;
CREATE INDEX inbox_message_snoozed ON inbox_inboxmessage (snoozed_until) WHERE state = 3;
"""

# Each new message updates the counters, which no index holds: the new version of the row stays in its page, without
# writing into an index, while the page has room (of a campaign's PostgreSQL time 17 µs a message instead of 20)
COUNTERS = "ALTER TABLE inbox_feed SET (fillfactor = 70)"

# Adds to the counters of some categories: {"news": [unread, unseen]}. A category without unread messages is left out.
COUNT_BY_CATEGORY = """
CREATE FUNCTION count_by_category(counts jsonb, categories text[], unread integer[], unseen integer[]) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
  counted jsonb;
  now_unread integer;
BEGIN
  FOR i IN 1 .. cardinality(categories) LOOP
    counted := counts -> categories[i];
    now_unread := coalesce((counted ->> 0)::integer, 0) + unread[i];
    IF now_unread = 0 THEN
      counts := counts - categories[i];
    ELSE
      counts := counts || jsonb_build_object(
        categories[i], jsonb_build_array(now_unread, coalesce((counted ->> 1)::integer, 0) + unseen[i]));
    END IF;
  END LOOP;
  RETURN counts;
END $$;
"""


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
                ("seen_seq", models.BigIntegerField(db_default=0, default=0)),
                ("revision", models.BigIntegerField(db_default=0, default=0)),
                ("unread", models.IntegerField(default=0)),
                ("unseen", models.IntegerField(db_default=0, default=0)),
                ("by_category", models.JSONField(db_default={}, default=dict)),
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
                (
                    "state",
                    models.SmallIntegerField(
                        choices=[(0, "Unread"), (1, "Read"), (2, "Archived"), (3, "Snoozed"), (4, "Deleted")],
                        db_default=0,
                        default=0,
                    ),
                ),
                ("category", models.CharField(default="", max_length=64)),
                ("title", models.CharField(max_length=500)),
                ("body", models.TextField()),
                ("link", models.CharField(default="", max_length=2000)),
                ("data", models.JSONField(default=dict)),
                ("created_at", models.DateTimeField()),
                ("read_at", models.DateTimeField(null=True)),
                ("snoozed_until", models.DateTimeField(null=True)),
                ("revision", models.BigIntegerField(db_default=0, default=0)),
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
        migrations.RunSQL(INDEXES),
        migrations.RunSQL(COUNTERS),
        migrations.RunSQL(COUNT_BY_CATEGORY),
        isolate("inbox_feed"),
        isolate("inbox_inboxmessage"),
    ]
