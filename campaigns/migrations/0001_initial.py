import django.contrib.postgres.fields
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import campaigns.wall_clock
import notifier.vocabulary
from campaigns.operations import queue_backlog
from tenants.database.isolation import isolate


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("notifier", "0001_initial"),
        ("tenants", "0001_initial"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        migrations.CreateModel(
            name="Shard",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.IntegerField()),
                ("channel", models.CharField(max_length=16)),
                ("size", models.IntegerField()),
                ("segments", models.IntegerField(default=0)),
                ("canary", models.BooleanField(default=False)),
                ("not_before", models.DateTimeField(null=True)),
                ("variant", models.CharField(default="", max_length=1)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("armed", "Armed"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="armed",
                        max_length=10,
                    ),
                ),
                ("lease_until", models.DateTimeField(null=True)),
                ("fence", models.IntegerField(default=0)),
                ("worker", models.CharField(default="", max_length=100)),
                ("began_at", models.DateTimeField(null=True)),
                ("ended_at", models.DateTimeField(null=True)),
                ("begun", models.IntegerField(default=0)),
                ("sent", models.IntegerField(default=0)),
                ("failed", models.IntegerField(default=0)),
                ("dead", models.IntegerField(default=0)),
                ("requeued", models.IntegerField(default=0)),
                ("skipped", models.IntegerField(default=0)),
                ("disconnected", models.IntegerField(default=0)),
                ("accounted", models.BooleanField(default=False)),
                (
                    "account",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="notifier.provideraccount"
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Audience",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("segment", "Segment: the recipients that a filter finds"),
                            ("list", "List: the external ids of a file"),
                            ("everybody", "Everybody: all recipients"),
                            ("topic", "Topic: the devices that Google has subscribed to a topic of Firebase"),
                        ],
                        max_length=10,
                    ),
                ),
                ("filter", models.JSONField(blank=True, default=list)),
                ("topic", models.CharField(blank=True, max_length=1024)),
                ("locale", models.CharField(blank=True, max_length=16, verbose_name="language")),
                ("app", models.CharField(blank=True, max_length=100)),
                ("size", models.IntegerField(default=0, editable=False)),
                ("list_version", models.IntegerField(default=0, editable=False)),
                ("people", models.IntegerField(editable=False, null=True)),
                ("people_exact", models.BooleanField(default=True, editable=False)),
                ("counted_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="AudienceMember",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("external_id", models.CharField(max_length=128)),
                (
                    "audience",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="members",
                        to="campaigns.audience",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="Campaign",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                (
                    "channels",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), size=None),
                ),
                ("data", models.JSONField(blank=True, default=dict, help_text="Variables for the template.")),
                (
                    "mode",
                    models.CharField(
                        choices=[("live", "live"), ("test", "test")],
                        default=notifier.vocabulary.status.Mode["LIVE"],
                        max_length=8,
                    ),
                ),
                (
                    "not_after",
                    models.DateTimeField(blank=True, help_text="No message leaves after this time.", null=True),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("draft", "Draft"),
                            ("arming", "Arming"),
                            ("armed", "Armed"),
                            ("launching", "Launching"),
                            ("running", "Running"),
                            ("paused", "Paused"),
                            ("finished", "Finished"),
                            ("cancelled", "Cancelled"),
                            ("failed", "Failed"),
                        ],
                        default="draft",
                        editable=False,
                        max_length=10,
                    ),
                ),
                ("revision", models.IntegerField(default=0, editable=False)),
                ("category", models.CharField(default="", editable=False, max_length=64)),
                ("failure", models.CharField(blank=True, editable=False, max_length=500)),
                ("audience_size", models.IntegerField(default=0, editable=False)),
                (
                    "processed",
                    models.IntegerField(
                        default=0, editable=False, help_text="Audience entries that arming has processed so far."
                    ),
                ),
                (
                    "unreached",
                    models.IntegerField(
                        default=0, editable=False, help_text="Recipients of the audience without any message."
                    ),
                ),
                (
                    "excluded",
                    models.JSONField(
                        default=dict, editable=False, help_text="Messages excluded while arming, by reason."
                    ),
                ),
                ("over_cap", models.IntegerField(default=0, editable=False)),
                ("reserved", models.JSONField(default=list, editable=False)),
                ("turn_at", models.DateTimeField(editable=False, null=True)),
                ("attempts", models.PositiveSmallIntegerField(default=0, editable=False)),
                ("problems", models.JSONField(default=list, editable=False)),
                (
                    "hold_seconds",
                    models.PositiveSmallIntegerField(
                        default=0, help_text="Seconds after GO within which GO can be taken back."
                    ),
                ),
                (
                    "rate_per_s",
                    models.FloatField(
                        blank=True, help_text="At most so many messages a second; empty: no limit.", null=True
                    ),
                ),
                (
                    "canary_percent",
                    models.PositiveSmallIntegerField(
                        default=1,
                        help_text="Percentage of the messages that can be sent first, to see whether all is well.",
                    ),
                ),
                (
                    "max_error_percent",
                    models.PositiveSmallIntegerField(
                        default=20,
                        help_text="The campaign pauses itself when more than this percentage of its messages fails.",
                    ),
                ),
                (
                    "max_dead_percent",
                    models.PositiveSmallIntegerField(
                        default=50,
                        help_text="The campaign pauses itself when more than this percentage of its addresses is dead.",
                    ),
                ),
                (
                    "rollout",
                    models.CharField(
                        choices=[
                            ("all", "everything at once"),
                            ("canary", "the canary first, then the rest automatically"),
                            ("canary_wait", "the canary first, then wait for a person"),
                        ],
                        default="all",
                        editable=False,
                        max_length=12,
                    ),
                ),
                (
                    "launch_at",
                    models.DateTimeField(
                        blank=True,
                        help_text="The armed campaign launches itself at this time; empty: a person presses GO.",
                        null=True,
                    ),
                ),
                (
                    "launch_rollout",
                    models.CharField(
                        choices=[
                            ("all", "everything at once"),
                            ("canary", "the canary first, then the rest automatically"),
                            ("canary_wait", "the canary first, then wait for a person"),
                        ],
                        default="all",
                        help_text="What leaves at the planned launch.",
                        max_length=12,
                    ),
                ),
                ("launch_ignores_opt_outs", models.BooleanField(default=False, editable=False)),
                ("launch_planned_by_key", models.UUIDField(editable=False, null=True)),
                (
                    "local_time",
                    campaigns.wall_clock.WallClockField(
                        blank=True,
                        help_text="After GO each recipient gets the message when a clock of the recipient's own zone "
                        "shows this date and time; empty: everybody at once.",
                        null=True,
                    ),
                ),
                (
                    "passed",
                    models.CharField(
                        choices=[("next_day", "they get it the next day"), ("leave_out", "they are left out")],
                        default="next_day",
                        help_text="Recipients whose local time is over when the campaign begins.",
                        max_length=10,
                    ),
                ),
                ("next_wave_at", models.DateTimeField(editable=False, null=True)),
                ("launch_failure", models.CharField(blank=True, editable=False, max_length=500)),
                ("silent", models.BooleanField(default=False, editable=False)),
                ("tested_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("first_armed_ms", models.BigIntegerField(editable=False, null=True)),
                ("armed_at", models.DateTimeField(editable=False, null=True)),
                ("consent_since", models.DateTimeField(editable=False, null=True)),
                (
                    "consent_transactions",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.BigIntegerField(), default=list, editable=False, size=None
                    ),
                ),
                ("consent_next_transaction", models.BigIntegerField(editable=False, null=True)),
                ("hold_until", models.DateTimeField(editable=False, null=True)),
                ("launched_at", models.DateTimeField(editable=False, null=True)),
                ("canary_passed_at", models.DateTimeField(editable=False, null=True)),
                ("halted", models.CharField(blank=True, editable=False, max_length=500)),
                ("halted_channels", models.JSONField(default=dict, editable=False)),
                ("stopped_at", models.DateTimeField(editable=False, null=True)),
                ("finished_at", models.DateTimeField(editable=False, null=True)),
                ("accounted_at", models.DateTimeField(editable=False, null=True)),
                ("report_final_at", models.DateTimeField(editable=False, null=True)),
                ("messages_deleted_at", models.DateTimeField(editable=False, null=True)),
                (
                    "audience",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="campaigns.audience",
                    ),
                ),
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
                    "launch_planned_by",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("retry_before", models.DateTimeField(editable=False, null=True)),
                ("retried", models.JSONField(default=dict, editable=False)),
                (
                    "corrects",
                    models.ForeignKey(
                        db_index=False,
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="corrections",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "rehearsal_of",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="rehearsals",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="notifier.template"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "tested_version",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to="notifier.templateversion",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="notifier.templateversion",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ShardPayload",
            fields=[
                (
                    "shard",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="payload",
                        serialize=False,
                        to="campaigns.shard",
                    ),
                ),
                ("rows", models.BinaryField()),
                ("outcomes", models.BinaryField(default=b"")),
                ("delays", models.BinaryField(default=b"")),
                ("notes", models.BinaryField(default=b"")),
            ],
        ),
        migrations.AddField(
            model_name="shard",
            name="campaign",
            field=models.ForeignKey(
                on_delete=django.db.models.deletion.CASCADE, related_name="shards", to="campaigns.campaign"
            ),
        ),
        migrations.AddField(
            model_name="shard",
            name="tenant",
            field=models.ForeignKey(
                db_index=False, on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"
            ),
        ),
        migrations.CreateModel(
            name="AudienceRange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("number", models.IntegerField()),
                ("after", models.CharField(max_length=36)),
                ("until", models.CharField(max_length=36)),
                ("rest", models.BooleanField(default=False)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="ranges", to="campaigns.campaign"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.AddConstraint(
            model_name="audience",
            constraint=models.UniqueConstraint(fields=("tenant", "name"), name="audience_name"),
        ),
        migrations.AddIndex(
            model_name="audiencemember",
            index=models.Index(fields=["audience", "id"], name="audience_member_walk"),
        ),
        migrations.AddConstraint(
            model_name="audiencemember",
            constraint=models.UniqueConstraint(
                fields=("tenant", "audience", "external_id"), name="audience_member_once"
            ),
        ),
        migrations.AddIndex(
            model_name="campaign",
            index=models.Index(fields=["tenant", "-id"], name="campaign_newest"),
        ),
        migrations.AddIndex(
            model_name="campaign",
            index=models.Index(
                condition=models.Q(("launch_at__isnull", False), ("launch_failure", ""), ("launched_at__isnull", True)),
                fields=["launch_at"],
                name="campaign_planned",
            ),
        ),
        migrations.AddIndex(
            model_name="campaign",
            index=models.Index(
                condition=models.Q(("first_armed_ms__isnull", False), ("messages_deleted_at__isnull", True)),
                fields=["tenant", "first_armed_ms"],
                name="campaign_with_messages",
            ),
        ),
        migrations.AddIndex(
            model_name="campaign",
            index=models.Index(
                condition=models.Q(("next_wave_at__isnull", False)), fields=["next_wave_at"], name="campaign_waves"
            ),
        ),
        migrations.AddField(
            model_name="shardpayload",
            name="tenant",
            field=models.ForeignKey(on_delete=django.db.models.deletion.CASCADE, related_name="+", to="tenants.tenant"),
        ),
        migrations.AddConstraint(
            model_name="shard",
            constraint=models.UniqueConstraint(fields=("tenant", "campaign", "number"), name="shard_number"),
        ),
        migrations.AddIndex(
            model_name="shard",
            index=models.Index(fields=["tenant", "-id"], name="shard_newest"),
        ),
        # claim and sweep: shards that are not done
        migrations.RunSQL(
            "CREATE INDEX shard_open ON campaigns_shard (campaign_id) WHERE state IN ('armed', 'running')"
        ),
        # accounting: shards whose outcomes are not in the ledger yet
        migrations.RunSQL("CREATE INDEX shard_unaccounted ON campaigns_shard (campaign_id) WHERE NOT accounted"),
        # compressing tokens and ids costs more than it saves: both are random
        migrations.RunSQL("ALTER TABLE campaigns_shardpayload ALTER COLUMN rows SET STORAGE EXTERNAL"),
        # payloads of a million would be vacuumed at the moment of GO, because they are new; they are deleted soon after
        migrations.RunSQL("ALTER TABLE campaigns_shardpayload SET (toast.autovacuum_vacuum_insert_threshold = -1)"),
        *[
            isolate(f"campaigns_{name}")
            for name in ("audience", "audiencemember", "campaign", "audiencerange", "shard", "shardpayload")
        ],
        # -- reports --
        migrations.CreateModel(
            name="CampaignReport",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("computed_at", models.DateTimeField(null=True)),
                ("seconds", models.FloatField(default=0)),
                ("requested_at", models.DateTimeField(null=True)),
                ("content", models.JSONField(default=dict)),
                (
                    "campaign",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to="campaigns.campaign"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        isolate("campaigns_campaignreport"),
        # -- schedules --
        migrations.CreateModel(
            name="Schedule",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("notification", models.JSONField(blank=True, default=dict)),
                (
                    "mode",
                    models.CharField(
                        choices=[("live", "live"), ("test", "test")],
                        default=notifier.vocabulary.status.Mode["LIVE"],
                        editable=False,
                        max_length=8,
                    ),
                ),
                ("at", models.CharField(blank=True, max_length=16)),
                ("rrule", models.CharField(blank=True, max_length=500)),
                ("cron", models.CharField(blank=True, max_length=200)),
                ("starts", models.CharField(blank=True, max_length=16)),
                ("ends", models.CharField(blank=True, max_length=16)),
                ("timezone", models.CharField(blank=True, max_length=64)),
                ("local", models.BooleanField(default=False)),
                (
                    "catch_up",
                    models.CharField(
                        choices=[
                            ("all", "all: each slot that was missed runs"),
                            ("last", "last: only the last one runs"),
                            ("none", "none: a slot that was missed does not run"),
                        ],
                        default="last",
                        max_length=4,
                    ),
                ),
                ("not_after_minutes", models.PositiveIntegerField(blank=True, null=True)),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("active", "Active"),
                            ("paused", "Paused"),
                            ("finished", "Finished"),
                            ("stopped", "Stopped"),
                            ("cancelled", "Cancelled"),
                        ],
                        default="active",
                        editable=False,
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(blank=True, editable=False, max_length=500)),
                ("lead_seconds", models.PositiveIntegerField(default=600, editable=False)),
                ("done_until", models.DateTimeField(editable=False)),
                ("next_at", models.DateTimeField(editable=False, null=True)),
                ("wake_at", models.DateTimeField(editable=False, null=True)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "campaign",
                    models.ForeignKey(
                        blank=True,
                        help_text="Each slot sends a copy of this campaign; its audience is looked up anew.",
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="schedules",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "created_by",
                    models.ForeignKey(
                        db_index=False,
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
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="ScheduleSlot",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("at", models.DateTimeField()),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("preparing", "Preparing"),
                            ("done", "Done"),
                            ("skipped", "Skipped"),
                            ("missed", "Missed"),
                            ("failed", "Failed"),
                        ],
                        max_length=10,
                    ),
                ),
                ("reason", models.CharField(blank=True, max_length=500)),
                ("notification_id", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("armed_at", models.DateTimeField(null=True)),
                (
                    "campaign",
                    models.ForeignKey(
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="slots",
                        to="campaigns.campaign",
                    ),
                ),
                (
                    "schedule",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="slots",
                        to="campaigns.schedule",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.AddIndex(
            model_name="schedule",
            index=models.Index(fields=["tenant", "-id"], name="schedule_newest"),
        ),
        migrations.AddIndex(
            model_name="schedule",
            index=models.Index(condition=models.Q(("wake_at__isnull", False)), fields=["wake_at"], name="schedule_due"),
        ),
        migrations.AddIndex(
            model_name="scheduleslot",
            index=models.Index(fields=["tenant", "-id"], name="schedule_slot_newest"),
        ),
        migrations.AddIndex(
            model_name="scheduleslot",
            index=models.Index(fields=["schedule", "-id"], name="schedule_slot_of"),
        ),
        migrations.AddIndex(
            model_name="scheduleslot",
            index=models.Index(condition=models.Q(("state", "preparing")), fields=["at"], name="schedule_slot_open"),
        ),
        migrations.AddConstraint(
            model_name="scheduleslot",
            constraint=models.UniqueConstraint(fields=("tenant", "schedule", "at"), name="schedule_slot_once"),
        ),
        # -- approvals --
        migrations.CreateModel(
            name="CampaignApproval",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("hash", models.CharField(max_length=64)),
                ("parts", models.JSONField(default=dict)),
                ("people", models.IntegerField(null=True)),
                ("requested_by_key", models.UUIDField(null=True)),
                ("requested_at", models.DateTimeField(default=django.utils.timezone.now)),
                ("request_note", models.CharField(blank=True, max_length=500)),
                (
                    "decision",
                    models.CharField(
                        choices=[
                            ("open", "waiting for a decision"),
                            ("approved", "approved"),
                            ("rejected", "rejected"),
                            ("withdrawn", "withdrawn"),
                            ("superseded", "overtaken by an edit"),
                        ],
                        default="open",
                        max_length=10,
                    ),
                ),
                ("decided_by_key", models.UUIDField(null=True)),
                ("decided_at", models.DateTimeField(null=True)),
                ("note", models.CharField(blank=True, max_length=500)),
                (
                    "campaign",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="approvals",
                        to="campaigns.campaign",
                    ),
                ),
                *[
                    (
                        name,
                        models.ForeignKey(
                            db_index=False,
                            null=True,
                            on_delete=django.db.models.deletion.SET_NULL,
                            related_name="+",
                            to=settings.AUTH_USER_MODEL,
                        ),
                    )
                    for name in ("requested_by", "decided_by")
                ],
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-id"], name="approval_newest"),
                    models.Index(fields=["campaign", "-id"], name="approval_of_campaign"),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("decision", "open")),
                        fields=("tenant", "campaign"),
                        name="approval_open_once",
                    )
                ],
            },
        ),
        *[isolate(f"campaigns_{name}") for name in ("schedule", "scheduleslot", "campaignapproval")],
        # -- A/B tests --
        migrations.CreateModel(
            name="CampaignVariant",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.CharField(max_length=1)),
                ("number", models.PositiveIntegerField(blank=True, null=True)),
                ("weight", models.PositiveSmallIntegerField(default=1)),
                (
                    "campaign",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="variants", to="campaigns.campaign"
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.PROTECT, related_name="+", to="notifier.template"
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
                (
                    "version",
                    models.ForeignKey(
                        editable=False,
                        null=True,
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="notifier.templateversion",
                    ),
                ),
            ],
            options={
                "ordering": ["key"],
                "constraints": [models.UniqueConstraint(fields=("campaign", "key"), name="variant_key")],
            },
        ),
        migrations.CreateModel(
            name="Experiment",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("test_percent", models.PositiveSmallIntegerField(default=20)),
                ("holdout_percent", models.PositiveSmallIntegerField(default=0)),
                (
                    "choice",
                    models.CharField(
                        choices=[("by_hand", "a person chooses"), ("rule", "a rule chooses")],
                        default="by_hand",
                        max_length=8,
                    ),
                ),
                (
                    "metric",
                    models.CharField(
                        choices=[("opened", "opened"), ("clicked", "clicked"), ("unsubscribed", "unsubscribed")],
                        default="opened",
                        max_length=12,
                    ),
                ),
                ("after_minutes", models.PositiveIntegerField(default=240)),
                ("min_sample", models.PositiveIntegerField(default=1000)),
                (
                    "otherwise",
                    models.CharField(
                        choices=[("wait", "wait for a person"), ("default", "send the default variant")],
                        default="wait",
                        max_length=8,
                    ),
                ),
                ("default_key", models.CharField(default="A", max_length=1)),
                ("waiting", models.IntegerField(default=0, editable=False)),
                ("held_out", models.IntegerField(default=0, editable=False)),
                ("winner", models.CharField(default="", editable=False, max_length=1)),
                ("decided_at", models.DateTimeField(editable=False, null=True)),
                ("chosen", models.CharField(default="", editable=False, max_length=8)),
                ("undecided", models.CharField(default="", editable=False, max_length=500)),
                ("looked_at", models.DateTimeField(editable=False, null=True)),
                ("arming_rest", models.BooleanField(default=False, editable=False)),
                (
                    "campaign",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="experiment", to="campaigns.campaign"
                    ),
                ),
                (
                    "decided_by",
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
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(
                        condition=models.Q(("choice", "rule"), ("looked_at__isnull", True), ("winner", "")),
                        fields=["looked_at"],
                        name="experiment_undecided",
                    ),
                    models.Index(
                        condition=models.Q(("arming_rest", True)), fields=["campaign"], name="experiment_arming_rest"
                    ),
                ],
            },
        ),
        *[isolate(f"campaigns_{name}") for name in ("experiment", "campaignvariant")],
        migrations.RunSQL(queue_backlog.FUNCTION, "DROP FUNCTION queue_backlog(text)"),
    ]
