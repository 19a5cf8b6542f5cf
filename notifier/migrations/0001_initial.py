import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import notifier.models.content
import notifier.vocabulary.ids
from notifier.models.partitions import VACUUM_EARLY, CreatePartitionedModel
from notifier.vocabulary.status import QueuePosition, Status
from tenants.database.isolation import append_only, isolate, operators_only, own_session_only, web_role

# Every index of the ledger and the one statement that needs it. All but the first three are partial: a campaign's
# million ARMED rows never touch them.
LEDGER_INDEXES = f"""
CREATE SEQUENCE notifier_delivery_seq;
GRANT USAGE ON SEQUENCE notifier_delivery_seq TO {web_role()};
-- GET /v1/notifications/<id>
CREATE INDEX delivery_notification ON notifier_delivery (notification_id) WHERE notification_id IS NOT NULL;
-- results of a campaign, and the rows that its shards requeued. Armed rows are counted by shard: an entry for each armed
-- row would cost arming 3 µs a message
CREATE INDEX delivery_campaign ON notifier_delivery (campaign_id, status, channel)
  WHERE campaign_id IS NOT NULL AND status <> {Status.ARMED};
-- suppressed_rows: who was left out of a campaign, by reason; page by page. Only suppressed rows have an entry
CREATE INDEX delivery_left_out ON notifier_delivery (campaign_id, reason, channel, id)
  WHERE campaign_id IS NOT NULL AND status = {Status.SUPPRESSED};
-- the deliveries of one recipient
CREATE INDEX delivery_recipient ON notifier_delivery (recipient_id);
-- claims.claim: due rows that have their queue's turn, account by account
CREATE INDEX delivery_due ON notifier_delivery (channel, account_id, lane, due_at)
  WHERE status = {Status.QUEUED} AND queue_position = {QueuePosition.HAS_TURN};
-- ordering.pass_on: the next row of a queue
CREATE INDEX delivery_waiting ON notifier_delivery (recipient_id, channel, lane, mode, seq)
  WHERE status = {Status.QUEUED} AND queue_position = {QueuePosition.WAITING};
-- reported.find_by_ref: messages that a provider names by its own reference. Push messages have references, too, and no
-- provider reports on them
CREATE INDEX delivery_provider_ref ON notifier_delivery (provider_ref) WHERE provider_ref <> '' AND platform = '';
-- sweep: parked rows that came due
CREATE INDEX delivery_parked ON notifier_delivery (due_at)
  WHERE status = {Status.QUEUED} AND queue_position = {QueuePosition.PARKED};
-- claims.claim: rows in flight of an account; sweep: leases that are over, by reading the whole index, which has a few
-- hundred entries an account. A second index by `lease_until` would cost each claim an entry, and each statement that
-- writes one message 10 µs
CREATE INDEX delivery_in_flight ON notifier_delivery (account_id, lease_until)
  WHERE status IN ({Status.CLAIMED}, {Status.SENDING}) AND lease_until IS NOT NULL;
CREATE INDEX event_delivery ON notifier_deliveryevent (delivery_id);
-- each message updates the row of its queue three times, and no indexed column: with room on the page the update adds no
-- entry to an index
ALTER TABLE notifier_orderingqueue SET (fillfactor = 40);
ALTER TABLE notifier_notification SET ({VACUUM_EARLY});
"""

# a provider's call names an account only, and its tenant becomes the scope of the transaction
BEFORE_THE_TENANT = f"""
CREATE FUNCTION tenant_of_account(account_id uuid) RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT a.tenant_id FROM notifier_provideraccount a JOIN tenants_tenant t ON t.id = a.tenant_id
  WHERE a.id = account_id AND a.enabled AND t.active
$$;
REVOKE ALL ON FUNCTION tenant_of_account(uuid) FROM PUBLIC;
-- a status page is public where the tenant has switched it on, and its address has the slug
CREATE FUNCTION tenant_of_status_page(page_slug text) RETURNS uuid
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT t.id FROM tenants_tenant t WHERE t.slug = page_slug AND t.status_page AND t.active
$$;
REVOKE ALL ON FUNCTION tenant_of_status_page(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION tenant_of_status_page(text) TO {web_role()};
GRANT EXECUTE ON FUNCTION tenant_of_account(uuid) TO {web_role()};
"""

# One event of the spool, as an endpoint gets it. The sequence grows with each event of a delivery: microseconds of the
# clock of PostgreSQL, and the place in the row.
# Consent changes and ended imports become events in their own transaction, whichever surface made them; without an
# endpoint a change costs the look for one, 5 µs.
WEBHOOKS = """
CREATE FUNCTION webhook_event(row_id uuid, place int, type text, at timestamptz, stored timestamptz, data jsonb)
RETURNS jsonb LANGUAGE sql STABLE AS $$
  SELECT jsonb_build_object('id', 'evt_' || replace(row_id::text, '-', '') || '_' || place, 'type', type,
    'timestamp', at, 'sequence', (extract(epoch FROM stored) * 1000000)::bigint + place, 'data', data)
$$;
CREATE FUNCTION spool_webhook_event(tenant uuid, type text, at timestamptz, data jsonb) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO notifier_webhookspool (id, tenant_id, events, created_at, packed)
  SELECT s.id, tenant, jsonb_build_array(webhook_event(s.id, 0, type, at, s.at, data)), s.at, false
  FROM (SELECT gen_random_uuid() AS id, clock_timestamp() AS at) s
$$;
-- as notifier.delivery.webhooks.subscriptions
CREATE FUNCTION webhook_wanted(tenant uuid, type text) RETURNS boolean LANGUAGE sql STABLE AS $$
  SELECT EXISTS (
    SELECT FROM notifier_webhookendpoint e
    WHERE e.tenant_id = tenant AND (e.enabled OR e.disabled_because <> '')
      AND (e.event_types = '{}' OR e.event_types::text[] && ARRAY[type, split_part(type, '.', 1) || '.*', '*']))
$$;
CREATE FUNCTION consent_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  person text;
BEGIN
  IF NOT webhook_wanted(NEW.tenant_id, 'consent.changed') THEN RETURN NULL; END IF;
  IF NEW.recipient_id IS NOT NULL THEN
    SELECT r.external_id INTO person FROM tenants_recipient r
    WHERE r.id = NEW.recipient_id AND r.tenant_id = NEW.tenant_id;
  END IF;
  PERFORM spool_webhook_event(NEW.tenant_id, 'consent.changed', NEW.at, jsonb_build_object(
    'recipient', person, 'channel', nullif(NEW.channel, ''), 'changed', NEW.changed, 'source', NEW.source,
    'detail', NEW.detail));
  RETURN NULL;
END $$;
CREATE TRIGGER webhook AFTER INSERT ON tenants_consentchange FOR EACH ROW EXECUTE FUNCTION consent_webhook();
-- a consent change has the new values only, so what was turned off is found where the old ones are known
CREATE FUNCTION tell_unsubscribed(tenant uuid, recipient uuid, channel text, changed text, detail jsonb) RETURNS void
LANGUAGE sql AS $$
  SELECT spool_webhook_event(tenant, 'recipient.unsubscribed', clock_timestamp(), jsonb_build_object(
    'recipient', (SELECT r.external_id FROM tenants_recipient r WHERE r.id = recipient AND r.tenant_id = tenant),
    'channel', channel, 'changed', changed,
    'source', coalesce(nullif(current_setting('notifier.consent_source', true), ''), 'system'), 'detail', detail))
$$;
CREATE FUNCTION preference_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  everything boolean := NEW.everything_off;
  channels text[] := NEW.channels_off;
  categories text[] := NEW.categories_off;
  added jsonb := '{}';
BEGIN
  IF NOT webhook_wanted(NEW.tenant_id, 'recipient.unsubscribed') THEN RETURN NULL; END IF;
  IF TG_OP = 'UPDATE' THEN
    everything := NEW.everything_off AND NOT OLD.everything_off;
    channels := ARRAY(SELECT unnest(channels) EXCEPT SELECT unnest(OLD.channels_off::text[]) ORDER BY 1);
    categories := ARRAY(SELECT unnest(categories) EXCEPT SELECT unnest(OLD.categories_off::text[]) ORDER BY 1);
  END IF;
  IF everything THEN added := jsonb_build_object('everything_off', true); END IF;
  IF channels <> '{}' THEN added := added || jsonb_build_object('channels_off', channels); END IF;
  IF categories <> '{}' THEN added := added || jsonb_build_object('categories_off', categories); END IF;
  IF added <> '{}' THEN
    PERFORM tell_unsubscribed(NEW.tenant_id, NEW.recipient_id, NULL, 'preference', added);
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER webhook AFTER INSERT ON tenants_preference FOR EACH ROW
  WHEN (NEW.everything_off OR NEW.channels_off <> '{}' OR NEW.categories_off <> '{}')
  EXECUTE FUNCTION preference_webhook();
CREATE TRIGGER webhook_update AFTER UPDATE ON tenants_preference FOR EACH ROW
  WHEN (OLD.everything_off <> NEW.everything_off OR OLD.channels_off <> NEW.channels_off
        OR OLD.categories_off <> NEW.categories_off)
  EXECUTE FUNCTION preference_webhook();
CREATE FUNCTION suppression_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF webhook_wanted(NEW.tenant_id, 'recipient.unsubscribed') THEN
    PERFORM tell_unsubscribed(NEW.tenant_id, NULL, NEW.channel, 'suppression', jsonb_build_object('cause', NEW.cause));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER webhook AFTER INSERT ON tenants_suppression FOR EACH ROW
  WHEN (NEW.cause = 'unsubscribe') EXECUTE FUNCTION suppression_webhook();
CREATE TRIGGER webhook_update AFTER UPDATE ON tenants_suppression FOR EACH ROW
  WHEN (NEW.cause = 'unsubscribe' AND OLD.cause <> NEW.cause) EXECUTE FUNCTION suppression_webhook();
CREATE FUNCTION import_webhook() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  IF webhook_wanted(NEW.tenant_id, 'import.finished') THEN
    PERFORM spool_webhook_event(NEW.tenant_id, 'import.finished', clock_timestamp(), jsonb_build_object(
      'import', NEW.id, 'kind', NEW.kind, 'state', NEW.state, 'filename', NEW.filename, 'rows', NEW.rows,
      'created', NEW.created, 'updated', NEW.updated, 'unchanged', NEW.unchanged, 'rejected', NEW.rejected));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER webhook AFTER UPDATE ON tenants_import FOR EACH ROW
  WHEN (OLD.state <> NEW.state AND NEW.state IN ('done', 'refused', 'failed')) EXECUTE FUNCTION import_webhook();
"""

TENANT_OWNED = (
    "notifier_layout",
    "notifier_sender",
    "notifier_storedfile",
    "notifier_template",
    "notifier_templateversion",
    "notifier_provideraccount",
    "notifier_notification",
    "notifier_orderingqueue",
    "notifier_route",
    "notifier_delivery",
    "notifier_deliveryevent",
    "notifier_deadletter",
    "notifier_receipt",
    "notifier_awaitedreceipts",
    "notifier_engagementbatch",
    "notifier_engagementcount",
    "notifier_digestsetting",
    "notifier_digest",
    "notifier_digestitem",
    "notifier_frequencycap",
    "notifier_capcount",
    "notifier_statushour",
    "notifier_incident",
    "notifier_webhookendpoint",
    "notifier_webhookspool",
    "notifier_webhookmessage",
    "notifier_webhookattempt",
    "notifier_messagecount",
    "notifier_requestcount",
    "notifier_quotause",
)


#: tables of other packages, behind pages for operators; the migrations of these packages need the table of users
OF_OPERATORS = (
    "django_admin_log",
    "django_celery_beat_clockedschedule",
    "django_celery_beat_crontabschedule",
    "django_celery_beat_intervalschedule",
    "django_celery_beat_periodictask",
    "django_celery_beat_periodictasks",
    "django_celery_beat_solarschedule",
)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("tenants", "0001_initial"),
        ("admin", "0003_logentry_add_action_flag_choices"),
        ("sessions", "0001_initial"),
        ("django_celery_beat", "0019_alter_periodictasks_options"),
        migrations.swappable_dependency(settings.AUTH_USER_MODEL),
    ]

    operations = [
        CreatePartitionedModel(
            name="Delivery",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("campaign_id", models.UUIDField(null=True)),
                ("recipient_id", models.UUIDField()),
                ("category", models.CharField(default="", max_length=64)),
                ("channel", models.CharField(max_length=16)),
                ("platform", models.CharField(default="", max_length=16)),
                ("address", models.CharField(max_length=1024)),
                ("device_id", models.UUIDField(null=True)),
                ("account_id", models.UUIDField(null=True)),
                ("lane", models.SmallIntegerField(choices=[(0, "critical"), (1, "transactional"), (2, "bulk")])),
                (
                    "status",
                    models.SmallIntegerField(
                        choices=[
                            (5, "armed"),
                            (10, "queued"),
                            (20, "claimed"),
                            (30, "sending"),
                            (40, "sent"),
                            (50, "delivered"),
                            (52, "bounced"),
                            (54, "opened"),
                            (56, "clicked"),
                            (58, "complained"),
                            (60, "failed"),
                            (61, "suppressed"),
                            (62, "cancelled"),
                            (63, "expired"),
                            (64, "unknown"),
                        ]
                    ),
                ),
                ("reason", models.CharField(default="", max_length=32)),
                ("detail", models.CharField(default="", max_length=300)),
                ("mode", models.CharField(default=notifier.vocabulary.status.Mode["LIVE"], max_length=8)),
                ("content", models.JSONField(null=True)),
                ("attempt", models.SmallIntegerField(default=0)),
                ("due_at", models.DateTimeField()),
                ("not_after", models.DateTimeField(null=True)),
                ("lease_until", models.DateTimeField(null=True)),
                ("fence", models.IntegerField(default=0)),
                ("seq", models.BigIntegerField(default=0)),
                (
                    "queue_position",
                    models.SmallIntegerField(default=notifier.vocabulary.status.QueuePosition["HAS_TURN"]),
                ),
                ("provider_ref", models.CharField(default="", max_length=200)),
                ("accepted_at", models.DateTimeField()),
                ("settled_at", models.DateTimeField(null=True)),
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
            options={
                "verbose_name_plural": "deliveries",
            },
        ),
        CreatePartitionedModel(
            name="DeliveryEvent",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("what", models.CharField(max_length=16)),
                ("detail", models.CharField(default="", max_length=300)),
                ("at", models.DateTimeField()),
                (
                    "delivery",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="events",
                        to="notifier.delivery",
                    ),
                ),
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
        migrations.CreateModel(
            name="Notification",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("category", models.CharField(blank=True, max_length=64)),
                (
                    "mode",
                    models.CharField(
                        choices=[("live", "live"), ("test", "test")],
                        default=notifier.vocabulary.status.Mode["LIVE"],
                        max_length=8,
                    ),
                ),
                ("lane", models.SmallIntegerField(choices=[(0, "critical"), (1, "transactional"), (2, "bulk")])),
                ("data", models.JSONField(default=dict)),
                ("send_at", models.DateTimeField(blank=True, null=True)),
                ("not_after", models.DateTimeField(blank=True, null=True)),
                ("group_key", models.CharField(blank=True, default="", max_length=64)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "recipient",
                    models.ForeignKey(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.recipient",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.AddField(
            model_name="delivery",
            name="notification",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                null=True,
                on_delete=django.db.models.deletion.DO_NOTHING,
                related_name="deliveries",
                to="notifier.notification",
            ),
        ),
        migrations.CreateModel(
            name="Layout",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.SlugField(max_length=64)),
                ("html", models.TextField(blank=True)),
                ("text", models.TextField(blank=True)),
                ("postal_address", models.CharField(blank=True, max_length=500)),
                ("is_default", models.BooleanField(default=False)),
                ("updated_at", models.DateTimeField(auto_now=True)),
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
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "key"), name="layout_key"),
                    models.UniqueConstraint(
                        condition=models.Q(("is_default", True)),
                        fields=("tenant",),
                        name="layout_one_default",
                        violation_error_message="Another layout is the default; take the mark off that one first.",
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="Sender",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "address",
                    models.CharField(
                        help_text="news@acme.example, or @acme.example for every address of the domain.",
                        max_length=320,
                        validators=[notifier.models.content.check_sender_address],
                    ),
                ),
                (
                    "name",
                    models.CharField(
                        blank=True,
                        help_text="The name beside the address. Empty: templates may give any name.",
                        max_length=200,
                    ),
                ),
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
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "address", "name"), name="sender_once")],
            },
        ),
        migrations.CreateModel(
            name="StoredFile",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("digest", models.CharField(max_length=64)),
                ("name", models.CharField(max_length=200)),
                ("content_type", models.CharField(max_length=100)),
                ("size", models.PositiveIntegerField()),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("used_at", models.DateTimeField(default=django.utils.timezone.now, editable=False)),
                ("public", models.BooleanField(default=False, editable=False)),
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
                "constraints": [models.UniqueConstraint(fields=("tenant", "digest"), name="stored_file_once")],
                "indexes": [models.Index(fields=["tenant", "-id"], name="stored_file_newest")],
            },
        ),
        migrations.CreateModel(
            name="Template",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.SlugField(max_length=64)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "category",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="tenants.category",
                    ),
                ),
                (
                    "layout",
                    models.ForeignKey(
                        blank=True,
                        help_text="Without one, the tenant's default layout.",
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="notifier.layout",
                    ),
                ),
                (
                    "without_layout",
                    models.BooleanField(default=False, help_text="The pages are whole by themselves."),
                ),
                (
                    "route",
                    models.JSONField(
                        blank=True,
                        help_text='The fallback route of notifications that bring none, such as [{"channel": "push"}, '
                        '{"after": "10m", "unless": "seen", "channel": "sms"}]. Empty: all channels at once.',
                        null=True,
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
            name="TemplateVersion",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("number", models.PositiveIntegerField()),
                ("content", models.JSONField()),
                ("published", models.JSONField(editable=False, null=True)),
                ("variables", models.JSONField(default=list)),
                ("changed_in", models.JSONField(default=dict, editable=False)),
                (
                    "note",
                    models.CharField(blank=True, help_text="Why this version was published.", max_length=200),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "created_by",
                    models.ForeignKey(
                        blank=True,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="versions", to="notifier.template"
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
                "ordering": ["-number"],
            },
        ),
        migrations.AddField(
            model_name="notification",
            name="version",
            field=models.ForeignKey(
                db_constraint=False,
                db_index=False,
                on_delete=django.db.models.deletion.PROTECT,
                related_name="+",
                to="notifier.templateversion",
            ),
        ),
        migrations.CreateModel(
            name="DeadLetter",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("channel", models.CharField(max_length=16)),
                ("attempts", models.SmallIntegerField()),
                ("last_error", models.CharField(max_length=300)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("redriven_at", models.DateTimeField(blank=True, null=True)),
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
                    "delivery",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.DO_NOTHING,
                        related_name="dead_letter",
                        to="notifier.delivery",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-id"], name="dead_letter_newest"),
                    models.Index(
                        condition=models.Q(("redriven_at__isnull", True)), fields=["tenant"], name="dead_letter_open"
                    ),
                ],
            },
        ),
        migrations.CreateModel(
            name="OrderingQueue",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("recipient_id", models.UUIDField()),
                ("channel", models.CharField(max_length=16)),
                ("lane", models.SmallIntegerField()),
                ("mode", models.CharField(max_length=8)),
                ("unfinished", models.IntegerField(default=0)),
                ("turn_taken", models.BooleanField(default=False)),
                ("turn_was_taken", models.BooleanField(db_default=False, default=False, editable=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "recipient_id", "channel", "lane", "mode"), name="ordering_queue_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="ProviderAccount",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                ("channel", models.CharField(editable=False, max_length=16)),
                ("provider", models.CharField(max_length=32)),
                ("platform", models.CharField(blank=True, editable=False, max_length=16)),
                (
                    "app",
                    models.CharField(
                        blank=True,
                        help_text="Only devices of this app; empty: devices of every app that has no account of its own.",
                        max_length=100,
                    ),
                ),
                ("sandbox", models.BooleanField(default=False, editable=False)),
                ("config", models.BinaryField(default=bytes)),
                ("receipts_secret", models.BinaryField(default=bytes)),
                (
                    "weight",
                    models.PositiveSmallIntegerField(
                        default=100, help_text="Share of messages among healthy accounts."
                    ),
                ),
                (
                    "rate_per_s",
                    models.FloatField(
                        blank=True, help_text="Messages a second; empty: the provider's own default.", null=True
                    ),
                ),
                ("enabled", models.BooleanField(default=True)),
                ("checks", models.JSONField(default=list, editable=False)),
                ("test_requested_at", models.DateTimeField(editable=False, null=True)),
                ("tested_at", models.DateTimeField(editable=False, null=True)),
                ("served_at", models.DateTimeField(auto_now_add=True)),
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
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "name"), name="provider_account_name")],
            },
        ),
        migrations.CreateModel(
            name="Receipt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("account_id", models.UUIDField()),
                (
                    "state",
                    models.SmallIntegerField(choices=[(0, "new"), (1, "parked"), (2, "unreadable")], default=0),
                ),
                ("sealed", models.BinaryField()),
                ("received_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("attempts", models.SmallIntegerField(default=0)),
                ("error", models.CharField(blank=True, max_length=300)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name": "unreadable receipt",
                "indexes": [
                    models.Index(
                        condition=models.Q(("state__lt", 2)), fields=["account_id", "due_at"], name="receipt_due"
                    ),
                    models.Index(condition=models.Q(("state", 2)), fields=["tenant", "-id"], name="receipt_unreadable"),
                ],
            },
        ),
        migrations.CreateModel(
            name="AwaitedReceipts",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("account_id", models.UUIDField()),
                (
                    "delivery_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None),
                ),
                ("refs", django.contrib.postgres.fields.ArrayField(base_field=models.TextField(), size=None)),
                ("sent_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("attempts", models.SmallIntegerField(default=0)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "awaited receipts",
                "indexes": [models.Index(fields=["account_id", "due_at"], name="awaited_receipts_due")],
            },
        ),
        migrations.CreateModel(
            name="EngagementBatch",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("channel", models.CharField(max_length=16)),
                ("events", models.TextField()),
                ("received_at", models.DateTimeField()),
                ("due_at", models.DateTimeField()),
                ("attempts", models.SmallIntegerField(default=0)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "engagement batches",
                "indexes": [models.Index(fields=["due_at"], name="engagement_batch_due")],
            },
        ),
        migrations.CreateModel(
            name="EngagementCount",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("campaign_id", models.UUIDField()),
                ("kind", models.CharField(max_length=16)),
                ("machine", models.BooleanField()),
                ("total", models.BigIntegerField()),
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "campaign_id", "kind", "machine"), name="engagement_count_once"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="QuotaUse",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "tenant_id",
                        "starts_on",
                        "period",
                        "channel",
                        "part",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("starts_on", models.DateField()),
                ("period", models.CharField(max_length=5)),
                ("channel", models.CharField(max_length=16)),
                ("part", models.SmallIntegerField()),
                ("used", models.BigIntegerField(default=0)),
                ("warned", models.SmallIntegerField(default=0)),
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
            name="CapCount",
            fields=[
                (
                    "pk",
                    models.CompositePrimaryKey(
                        "cap_id",
                        "recipient_id",
                        "window_start",
                        blank=True,
                        editable=False,
                        primary_key=True,
                        serialize=False,
                    ),
                ),
                ("cap_id", models.UUIDField()),
                ("recipient_id", models.UUIDField()),
                ("window_start", models.DateTimeField()),
                (
                    "holders",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), size=None),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={"indexes": [models.Index(fields=["window_start"], name="cap_count_window")]},
        ),
        migrations.CreateModel(
            name="FrequencyCap",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "channel",
                    models.CharField(
                        blank=True,
                        help_text="Empty: all channels together; a notification on several channels or devices then"
                        " counts once.",
                        max_length=16,
                    ),
                ),
                (
                    "most",
                    models.PositiveIntegerField(
                        help_text="Notifications and campaigns that one recipient gets in a period, 1 to 1,000.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000),
                        ],
                    ),
                ),
                (
                    "period",
                    models.CharField(
                        choices=[("hour", "Hour"), ("day", "Day"), ("week", "Week")],
                        help_text="Of the recipient's own clock: a day from midnight, a week from Monday.",
                        max_length=8,
                    ),
                ),
                ("changed_at", models.DateTimeField(auto_now=True)),
                (
                    "category",
                    models.ForeignKey(
                        blank=True,
                        help_text="Empty: all marketing messages together. A cap holds transactional and critical"
                        " messages only when it names their category.",
                        null=True,
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="tenants.category",
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
                "constraints": [
                    models.UniqueConstraint(
                        fields=("tenant", "category", "channel", "period"),
                        name="frequency_cap_once",
                        violation_error_message="There is such a cap already: change it instead.",
                    ),
                    models.UniqueConstraint(
                        condition=models.Q(("category__isnull", True)),
                        fields=("tenant", "channel", "period"),
                        name="frequency_cap_of_all_once",
                        violation_error_message="There is such a cap already: change it instead.",
                    ),
                ],
            },
        ),
        migrations.AddConstraint(
            model_name="template",
            constraint=models.UniqueConstraint(fields=("tenant", "key"), name="template_key"),
        ),
        migrations.AddConstraint(
            model_name="templateversion",
            constraint=models.UniqueConstraint(fields=("tenant", "template", "number"), name="template_version_number"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["tenant", "id"], name="notification_newest"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(fields=["version"], name="notification_version"),
        ),
        migrations.AddIndex(
            model_name="notification",
            index=models.Index(
                condition=models.Q(("group_key", ""), _negated=True),
                fields=["tenant", "group_key", "id"],
                name="notification_group",
            ),
        ),
        migrations.CreateModel(
            name="Digest",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("recipient_id", models.UUIDField()),
                ("category", models.CharField(blank=True, max_length=64)),
                ("key", models.CharField(blank=True, max_length=128)),
                (
                    "mode",
                    models.CharField(
                        choices=[("live", "live"), ("test", "test")],
                        default=notifier.vocabulary.status.Mode["LIVE"],
                        max_length=8,
                    ),
                ),
                ("template", models.CharField(max_length=64)),
                (
                    "channels",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=16), size=None),
                ),
                ("max_items", models.PositiveSmallIntegerField()),
                ("items", models.IntegerField()),
                ("opened_at", models.DateTimeField()),
                ("closes_at", models.DateTimeField()),
                ("latest_close", models.DateTimeField()),
                ("closed_at", models.DateTimeField(blank=True, null=True)),
                ("notification_id", models.UUIDField(blank=True, null=True)),
                ("failure", models.CharField(blank=True, default="", max_length=300)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-id"], name="digest_newest"),
                    models.Index(fields=["recipient_id"], name="digest_recipient"),
                    models.Index(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=["tenant", "closes_at"],
                        name="digest_due",
                    ),
                ],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("closed_at__isnull", True)),
                        fields=("tenant", "recipient_id", "category", "key", "mode"),
                        name="digest_open_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DigestItem",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("digest_id", models.UUIDField()),
                ("notification_id", models.UUIDField(null=True)),
                ("campaign_id", models.UUIDField(null=True)),
                ("created_at", models.DateTimeField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [models.Index(fields=["digest_id"], name="digest_item_digest")],
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("campaign_id__isnull", False)),
                        fields=("tenant", "digest_id", "campaign_id"),
                        name="digest_item_campaign_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="DigestSetting",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "window",
                    models.CharField(
                        blank=True,
                        help_text="The digest leaves so long after its newest item, such as 10m, 2h or 1d.",
                        max_length=16,
                    ),
                ),
                (
                    "max_window",
                    models.CharField(
                        blank=True,
                        help_text="The digest leaves so long after its first item at the latest. Empty: four windows.",
                        max_length=16,
                    ),
                ),
                (
                    "schedule",
                    models.CharField(
                        blank=True,
                        help_text="Instead of a window: daily at 09:00, or monday at 09:00, on the recipient's clock.",
                        max_length=32,
                    ),
                ),
                (
                    "max_items",
                    models.PositiveSmallIntegerField(
                        default=100,
                        help_text="The template gets so many of the newest items, and count says how many there are.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(500),
                        ],
                    ),
                ),
                (
                    "channels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=16),
                        blank=True,
                        default=list,
                        help_text="Only these channels of the digest template are gathered. Empty: all of them.",
                        size=None,
                    ),
                ),
                (
                    "category",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="digest_setting",
                        to="tenants.category",
                    ),
                ),
                (
                    "template",
                    models.ForeignKey(
                        help_text="Rendered with items and count; its channels get the digest.",
                        on_delete=django.db.models.deletion.RESTRICT,
                        related_name="+",
                        to="notifier.template",
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
                "indexes": [models.Index(fields=["tenant", "id"], name="digest_setting_tenant")],
            },
        ),
        migrations.CreateModel(
            name="Route",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("steps", models.JSONField()),
                ("step", models.PositiveSmallIntegerField(default=1)),
                ("due_at", models.DateTimeField(blank=True, null=True)),
                (
                    "notification",
                    models.OneToOneField(
                        db_constraint=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="route",
                        to="notifier.notification",
                    ),
                ),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["tenant", "-id"], name="route_newest"),
                    models.Index(condition=models.Q(("due_at__isnull", False)), fields=["due_at"], name="route_due"),
                ],
            },
        ),
        migrations.CreateModel(
            name="MessageCount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("day", models.DateField()),
                ("campaign_id", models.UUIDField()),
                ("channel", models.CharField(max_length=16)),
                ("category", models.CharField(max_length=64)),
                ("template", models.CharField(max_length=64)),
                ("status", models.SmallIntegerField()),
                ("reason", models.CharField(max_length=32)),
                ("provider", models.CharField(max_length=32)),
                ("locale", models.CharField(max_length=16)),
                ("mode", models.CharField(max_length=8)),
                ("messages", models.BigIntegerField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [
                    models.UniqueConstraint(
                        fields=(
                            "tenant",
                            "day",
                            "campaign_id",
                            "channel",
                            "category",
                            "template",
                            "status",
                            "reason",
                            "provider",
                            "locale",
                            "mode",
                        ),
                        name="message_count_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RequestCount",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("at", models.DateTimeField()),
                ("requests", models.BigIntegerField()),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("tenant", "at"), name="request_count_once")],
            },
        ),
        migrations.CreateModel(
            name="RetiredPartition",
            fields=[
                ("name", models.CharField(max_length=63, primary_key=True, serialize=False)),
                ("parent", models.CharField(max_length=63)),
                ("checked", models.BooleanField(default=False)),
                ("counted", models.UUIDField()),
                ("retired_at", models.DateTimeField(auto_now_add=True)),
            ],
        ),
        migrations.CreateModel(
            name="WebhookEndpoint",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "url",
                    models.CharField(help_text="Begins with https:// and names a public server.", max_length=500),
                ),
                ("description", models.CharField(blank=True, max_length=200)),
                ("enabled", models.BooleanField(default=True)),
                (
                    "event_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64),
                        blank=True,
                        default=list,
                        help_text="Names of events, or the beginning of names, such as delivery.*; empty: every event.",
                        size=None,
                    ),
                ),
                ("headers", models.BinaryField(default=bytes)),
                ("secret", models.BinaryField(default=bytes)),
                ("earlier_secret", models.BinaryField(default=bytes)),
                ("earlier_until", models.DateTimeField(editable=False, null=True)),
                ("disabled_because", models.CharField(blank=True, default="", editable=False, max_length=200)),
                ("notified_at", models.DateTimeField(editable=False, null=True)),
                ("failures", models.IntegerField(default=0, editable=False)),
                ("failing_since", models.DateTimeField(editable=False, null=True)),
                ("last_error", models.CharField(blank=True, default="", editable=False, max_length=200)),
                ("succeeded_at", models.DateTimeField(editable=False, null=True)),
                ("resume_at", models.DateTimeField(auto_now_add=True)),
                ("served_at", models.DateTimeField(auto_now_add=True)),
                ("lease_until", models.DateTimeField(editable=False, null=True)),
                ("fence", models.IntegerField(default=0, editable=False)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("changed_at", models.DateTimeField(auto_now=True)),
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
                "indexes": [models.Index(fields=["tenant", "-id"], name="webhook_endpoint_newest")],
            },
        ),
        migrations.CreateModel(
            name="WebhookSpool",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("events", models.JSONField()),
                ("created_at", models.DateTimeField()),
                ("packed", models.BooleanField(default=False)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "webhook spool",
                "indexes": [
                    models.Index(
                        condition=models.Q(("packed", False)),
                        fields=["tenant", "created_at"],
                        name="webhook_spool_unpacked",
                    ),
                    models.Index(fields=["tenant", "created_at"], name="webhook_spool_newest"),
                    models.Index(fields=["created_at"], name="webhook_spool_old"),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookMessage",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("endpoint_id", models.UUIDField()),
                (
                    "spool_ids",
                    django.contrib.postgres.fields.ArrayField(base_field=models.UUIDField(), default=list, size=None),
                ),
                (
                    "filters",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, size=None
                    ),
                ),
                (
                    "only",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, size=None
                    ),
                ),
                (
                    "event_types",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=64), default=list, size=None
                    ),
                ),
                ("events", models.IntegerField(default=0)),
                (
                    "state",
                    models.SmallIntegerField(choices=[(0, "waiting"), (1, "done"), (2, "given up")], default=0),
                ),
                ("attempts", models.SmallIntegerField(default=0)),
                ("due_at", models.DateTimeField()),
                ("begun_at", models.DateTimeField()),
                ("created_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(null=True)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["endpoint_id", "-id"], name="webhook_message_newest"),
                    models.Index(fields=["endpoint_id", "created_at", "id"], name="webhook_message_of"),
                    models.Index(
                        condition=models.Q(("state", 0)),
                        fields=["endpoint_id", "created_at", "id"],
                        name="webhook_message_due",
                    ),
                    models.Index(
                        condition=models.Q(("state", 1), _negated=True),
                        fields=["endpoint_id", "-id"],
                        name="webhook_message_open",
                    ),
                    models.Index(fields=["created_at"], name="webhook_message_old"),
                ],
            },
        ),
        migrations.CreateModel(
            name="WebhookAttempt",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("endpoint_id", models.UUIDField()),
                ("message_id", models.UUIDField()),
                ("at", models.DateTimeField()),
                ("status", models.SmallIntegerField(null=True)),
                ("error", models.CharField(blank=True, default="", max_length=200)),
                ("latency_ms", models.IntegerField(default=0)),
                ("answer", models.CharField(blank=True, default="", max_length=1024)),
                (
                    "tenant",
                    models.ForeignKey(
                        db_constraint=False,
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "indexes": [
                    models.Index(fields=["endpoint_id", "-id"], name="webhook_attempt_newest"),
                    models.Index(fields=["message_id"], name="webhook_attempt_message"),
                    models.Index(fields=["at"], name="webhook_attempt_old"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Incident",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("title", models.CharField(max_length=200)),
                (
                    "text",
                    models.TextField(
                        blank=True,
                        help_text="Everybody may read it: no names of people, no addresses.",
                        max_length=4000,
                    ),
                ),
                (
                    "channels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=16),
                        blank=True,
                        default=list,
                        help_text="The channels that are affected, such as email, sms; empty: all.",
                        size=None,
                    ),
                ),
                (
                    "stage",
                    models.CharField(
                        choices=[
                            ("investigating", "Investigating: the cause is looked for"),
                            ("identified", "Identified: the cause is known"),
                            ("monitoring", "Monitoring: it is mended, and watched"),
                            ("resolved", "Resolved: it is over"),
                        ],
                        default="investigating",
                        max_length=13,
                    ),
                ),
                ("began_at", models.DateTimeField()),
                ("ended_at", models.DateTimeField(blank=True, help_text="Empty: it goes on.", null=True)),
                ("changed_at", models.DateTimeField(auto_now=True)),
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
            options={"indexes": [models.Index(fields=["tenant", "-began_at"], name="incident_newest")]},
        ),
        migrations.CreateModel(
            name="StatusHour",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("channel", models.CharField(max_length=16)),
                ("hour", models.DateTimeField()),
                ("looks", models.SmallIntegerField(default=0)),
                ("degraded", models.SmallIntegerField(default=0)),
                ("outage", models.SmallIntegerField(default=0)),
                ("minute", models.SmallIntegerField(default=-1)),
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
                "indexes": [models.Index(fields=["hour"], name="status_hour_age")],
                "constraints": [models.UniqueConstraint(fields=["tenant", "channel", "hour"], name="status_hour_once")],
            },
        ),
        migrations.RunSQL(LEDGER_INDEXES),
        migrations.RunSQL(BEFORE_THE_TENANT),
        migrations.RunSQL(WEBHOOKS),
        # an erasure empties what a provider said of a message, and events end with their messages
        append_only(
            "notifier_deliveryevent",
            "NEW.detail = '' AND to_jsonb(NEW) - 'detail' = to_jsonb(OLD) - 'detail'",
            ends=True,
        ),
        *[isolate(table) for table in TENANT_OWNED],
        operators_only("notifier_retiredpartition"),
        own_session_only("django_session"),
        *[operators_only(table) for table in OF_OPERATORS],
    ]
