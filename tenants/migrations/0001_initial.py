import django.contrib.auth.models
import django.contrib.auth.validators
import django.contrib.postgres.fields
import django.core.validators
import django.db.models.deletion
import django.utils.timezone
from django.conf import settings
from django.db import migrations, models

import notifier.vocabulary
import tenants.models.accounts
from tenants.database.isolation import append_only, isolate, operators_write, visible_sql, web_role
from tenants.database.signed_settings import FUNCTIONS
from tenants.people.search import create_search_index

# Triggers store consent changes, whichever surface made the change (API, admin, import, receipts).
CONSENT = """
CREATE FUNCTION record_consent_change(
  tenant uuid, recipient uuid, channel text, address text, changed text, detail jsonb) RETURNS void
LANGUAGE sql AS $$
  INSERT INTO tenants_consentchange
    (tenant_id, recipient_id, channel, address, changed, detail, source, at, transaction_id)
  VALUES (tenant, recipient, channel, address, changed, detail,
          COALESCE(NULLIF(current_setting('notifier.consent_source', true), ''), 'system'), clock_timestamp(),
          pg_current_xact_id()::text::bigint)
$$;
-- the columns of `new` with another value than in `old`, without those that say nothing of consent
CREATE FUNCTION changed_columns(old jsonb, new jsonb) RETURNS jsonb LANGUAGE sql IMMUTABLE AS $$
  SELECT COALESCE(jsonb_object_agg(n.key, n.value), '{}') FROM jsonb_each(new) n
  WHERE n.value IS DISTINCT FROM old -> n.key
    AND n.key NOT IN ('id', 'tenant_id', 'recipient_id', 'created_at', 'updated_at')
    AND (old <> '{}' OR n.value NOT IN ('null', '""', '[]', '{}', 'false'))
$$;
CREATE FUNCTION preference_consent() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  changed jsonb := '{"deleted": true}';
BEGIN
  IF TG_OP <> 'DELETE' THEN
    changed := changed_columns(CASE TG_OP WHEN 'INSERT' THEN '{}' ELSE to_jsonb(OLD) END, to_jsonb(NEW));
    IF changed = '{}' THEN RETURN NULL; END IF;
  END IF;
  PERFORM record_consent_change(COALESCE(NEW.tenant_id, OLD.tenant_id), COALESCE(NEW.recipient_id, OLD.recipient_id),
                       '', '', 'preference', changed);
  RETURN NULL;
END $$;
CREATE TRIGGER consent AFTER INSERT OR UPDATE OR DELETE ON tenants_preference
  FOR EACH ROW EXECUTE FUNCTION preference_consent();
CREATE FUNCTION suppression_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM record_consent_change(COALESCE(NEW.tenant_id, OLD.tenant_id), NULL, COALESCE(NEW.channel, OLD.channel),
                       COALESCE(NEW.address, OLD.address), 'suppression',
                       CASE TG_OP WHEN 'DELETE' THEN '{"deleted": true}' ELSE jsonb_build_object('cause', NEW.cause) END);
  RETURN NULL;
END $$;
CREATE TRIGGER consent AFTER INSERT OR UPDATE OR DELETE ON tenants_suppression
  FOR EACH ROW EXECUTE FUNCTION suppression_consent();
CREATE FUNCTION device_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM record_consent_change(OLD.tenant_id, OLD.recipient_id, 'push', OLD.token, 'device',
                       CASE WHEN TG_OP = 'DELETE' THEN jsonb_build_object('device', OLD.id, 'deleted', true)
                       ELSE jsonb_build_object('device', OLD.id, 'dead', NEW.dead_since IS NOT NULL,
                                               'moved', OLD.recipient_id <> NEW.recipient_id) END);
  RETURN NULL;
END $$;
CREATE TRIGGER consent_update AFTER UPDATE ON tenants_device FOR EACH ROW
  WHEN (OLD.dead_since IS DISTINCT FROM NEW.dead_since OR OLD.recipient_id <> NEW.recipient_id
        OR OLD.token <> NEW.token)
  EXECUTE FUNCTION device_consent();
CREATE TRIGGER consent_delete AFTER DELETE ON tenants_device FOR EACH ROW EXECUTE FUNCTION device_consent();
-- the zone of a recipient is that of the device that was seen last; registration keeps it (tenants.people.devices)
CREATE FUNCTION forget_device_zone() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE tenants_recipient r SET device_timezone = newest.timezone
  FROM (SELECT coalesce((SELECT d.timezone FROM tenants_device d
                         WHERE d.recipient_id = OLD.recipient_id AND d.timezone <> ''
                         ORDER BY d.last_seen_at DESC LIMIT 1), '') AS timezone) newest
  WHERE r.id = OLD.recipient_id AND r.device_timezone <> newest.timezone;
  RETURN NULL;
END $$;
CREATE TRIGGER device_zone AFTER DELETE ON tenants_device FOR EACH ROW
  WHEN (OLD.timezone <> '') EXECUTE FUNCTION forget_device_zone();
CREATE TRIGGER device_zone_moved AFTER UPDATE OF recipient_id ON tenants_device FOR EACH ROW
  WHEN (OLD.timezone <> '' AND OLD.recipient_id <> NEW.recipient_id) EXECUTE FUNCTION forget_device_zone();
CREATE FUNCTION recipient_consent() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  PERFORM record_consent_change(OLD.tenant_id, OLD.id, '', '', 'recipient',
    CASE WHEN TG_OP = 'DELETE' THEN '{"deleted": true}'
    WHEN OLD.status <> NEW.status THEN jsonb_build_object('status', NEW.status)
    ELSE jsonb_build_object('email', OLD.email <> NEW.email, 'phone', OLD.phone <> NEW.phone) END);
  RETURN NULL;
END $$;
CREATE TRIGGER consent_update AFTER UPDATE ON tenants_recipient FOR EACH ROW
  WHEN (OLD.status <> NEW.status OR OLD.email <> NEW.email OR OLD.phone <> NEW.phone
        OR OLD.timezone <> NEW.timezone OR OLD.device_timezone <> NEW.device_timezone)
  EXECUTE FUNCTION recipient_consent();
CREATE TRIGGER consent_delete AFTER DELETE ON tenants_recipient FOR EACH ROW EXECUTE FUNCTION recipient_consent();
"""

# Statement by statement, not row by row: an import stores a million recipients, and most tenants have erased nobody.
# EXECUTE plans each statement anew: the plan that a session keeps from a statement of one row compared each address of
# an import with each digest, 100,000 rows with 1,000 digests for more than nine minutes. Of an INSERT of 100,000 rows
# with email and phone (5 s), the trigger takes 0.06 s while nobody is erased, and 1.5 s beside 1,000 erased addresses.
SUPPRESS_ERASED = """
-- over the tenant's salt, the channel and the address in small letters
CREATE FUNCTION erased_digest(salt bytea, channel text, address text) RETURNS bytea LANGUAGE sql STABLE AS $$
  SELECT sha256(salt || convert_to(channel || ':' || lower(address), 'UTF8'))
$$;
CREATE FUNCTION suppress_erased() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
  tenants uuid[];
  -- only addresses that changed: a suppression that was deleted does not come back with the next change of a name
  addresses text := CASE TG_OP WHEN 'INSERT' THEN $q$
    SELECT n.tenant_id, v.channel, v.address FROM stored n
    CROSS JOIN LATERAL (VALUES ('email', n.email), ('sms', n.phone)) v (channel, address)
    WHERE v.address <> ''
  $q$ ELSE $q$
    SELECT n.tenant_id, v.channel, v.address FROM stored n JOIN before b ON b.id = n.id
    CROSS JOIN LATERAL (VALUES ('email', n.email, b.email), ('sms', n.phone, b.phone)) v (channel, address, earlier)
    WHERE v.address <> '' AND v.address <> v.earlier
  $q$ END;
BEGIN
  SELECT array_agg(DISTINCT n.tenant_id) INTO tenants FROM stored n;
  IF NOT EXISTS (SELECT FROM tenants_erasedaddress a WHERE a.tenant_id = ANY(tenants)) THEN RETURN NULL; END IF;
  EXECUTE format($q$
    WITH digests AS MATERIALIZED (
      SELECT a.*, erased_digest(t.erasure_salt, a.channel, a.address) AS digest
      FROM (%s) a JOIN tenants_tenant t ON t.id = a.tenant_id)
    INSERT INTO tenants_suppression (id, tenant_id, channel, address, cause, created_at)
    SELECT (lpad(to_hex((extract(epoch FROM clock_timestamp()) * 1000)::bigint), 12, '0')
            || substr(md5(gen_random_uuid()::text), 1, 20))::uuid, d.tenant_id, d.channel, d.address, 'erased',
           clock_timestamp()
    FROM digests d JOIN tenants_erasedaddress e
      ON e.tenant_id = d.tenant_id AND e.channel = d.channel AND e.digest = d.digest
    ORDER BY d.tenant_id, d.channel, d.address
    ON CONFLICT (tenant_id, channel, address) DO NOTHING
  $q$, addresses);
  RETURN NULL;
END $$;
CREATE TRIGGER suppress_erased_new AFTER INSERT ON tenants_recipient REFERENCING NEW TABLE AS stored
  FOR EACH STATEMENT EXECUTE FUNCTION suppress_erased();
CREATE TRIGGER suppress_erased_changed AFTER UPDATE ON tenants_recipient
  REFERENCING OLD TABLE AS before NEW TABLE AS stored
  FOR EACH STATEMENT EXECUTE FUNCTION suppress_erased();
"""
#: an erasure empties the address of a consent change
ERASING = "NEW.address = '' AND to_jsonb(NEW) - 'address' = to_jsonb(OLD) - 'address'"

# Merges key by key at every level; a value that is no object on both sides is replaced. `||` merges the first level only.
MERGE_ATTRIBUTES = """
CREATE FUNCTION merge_attributes(stored jsonb, new jsonb) RETURNS jsonb LANGUAGE plpgsql IMMUTABLE AS $$
BEGIN
  IF jsonb_typeof(stored) <> 'object' OR jsonb_typeof(new) <> 'object' THEN
    RETURN new;
  END IF;
  RETURN stored || (
    SELECT coalesce(jsonb_object_agg(key, CASE WHEN stored ? key THEN merge_attributes(stored -> key, value)
                                               ELSE value END), '{}')
    FROM jsonb_each(new));
END $$;
CREATE AGGREGATE merge_all_attributes(jsonb) (SFUNC = merge_attributes, STYPE = jsonb, INITCOND = '{}');
"""

# The questions of a web request that has no tenant yet. SECURITY DEFINER: the functions run as the tables' owner, whom
# the policies do not bind. `pg_temp` comes last, or a temporary table would be read in place of the real one.
AS_OWNER = "SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp"
BEFORE_THE_TENANT = f"""
CREATE FUNCTION api_key_by_digest(key_digest bytea)
  RETURNS TABLE (id uuid, tenant_id uuid, mode varchar, scopes jsonb, last_used_at timestamptz,
    tenant_requests integer, tenant_recipients integer, key_requests integer, key_recipients integer,
    signed_scope text)
  LANGUAGE sql STABLE {AS_OWNER} AS $$
  SELECT k.id, k.tenant_id, k.mode, k.scopes, k.last_used_at, t.requests_per_second, t.recipients_per_second,
    k.requests_per_second, k.recipients_per_second, sign_setting('tenants', k.tenant_id::text)
  FROM tenants_apikey k
  JOIN tenants_tenant t ON t.id = k.tenant_id WHERE k.digest = key_digest AND k.revoked_at IS NULL AND t.active
$$;
-- the tenants of the logged-in user
CREATE FUNCTION member_tenants() RETURNS TABLE (tenant_id uuid, role varchar)
  LANGUAGE sql STABLE {AS_OWNER} AS $$
  SELECT m.tenant_id, m.role FROM tenants_member m JOIN tenants_tenant t ON t.id = m.tenant_id
  WHERE m.user_id = nullif(signed_setting('user'), '')::bigint
    -- a tenant that asks for a second factor opens to no login without one, whichever page asks
    AND (NOT t.require_two_factor
      OR EXISTS (SELECT FROM tenants_authenticator a WHERE a.user_id = m.user_id AND a.confirmed_at IS NOT NULL)
      OR EXISTS (SELECT FROM tenants_user u WHERE u.id = m.user_id AND u.provider_second_factor))
$$;
REVOKE ALL ON FUNCTION signed_setting(text), api_key_by_digest(bytea), member_tenants() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION signed_setting(text), api_key_by_digest(bytea), member_tenants() TO {web_role()};
"""

# Users. The web role sees the logged-in user and the members of the visible tenants, may change the logged-in user, and
# cannot make a user an operator. A request of an operator may do all of it.
LOGINS = f"""
ALTER TABLE tenants_user ENABLE ROW LEVEL SECURITY;
CREATE POLICY visible ON tenants_user FOR SELECT USING (
  id = (SELECT nullif(signed_setting('user'), ''))::bigint
  OR (SELECT signed_setting('tenants')) = '*'
  OR id = ANY (ARRAY(SELECT m.user_id FROM tenants_member m)));
CREATE POLICY changeable ON tenants_user FOR UPDATE USING (
  id = (SELECT nullif(signed_setting('user'), ''))::bigint OR (SELECT signed_setting('tenants')) = '*');
CREATE POLICY addable ON tenants_user FOR INSERT WITH CHECK ((SELECT signed_setting('tenants')) = '*');
-- a policy cannot compare a row before and after; row_security_active is false for the engine, which owns the table
CREATE FUNCTION protect_login_rights() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF row_security_active('public.tenants_user') AND signed_setting('tenants') IS DISTINCT FROM '*'
    AND (NEW.id, NEW.username, NEW.is_superuser, NEW.is_staff, NEW.is_active, NEW.date_joined,
        NEW.oidc_subject, NEW.provider_second_factor)
      IS DISTINCT FROM (OLD.id, OLD.username, OLD.is_superuser, OLD.is_staff, OLD.is_active, OLD.date_joined,
        OLD.oidc_subject, OLD.provider_second_factor) THEN
    RAISE EXCEPTION 'Only an operator may change these columns of a user' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER protect_login_rights BEFORE UPDATE ON tenants_user FOR EACH ROW EXECUTE FUNCTION protect_login_rights();
-- the operators of the site decide whether a tenant reaches recipients, not the tenant
CREATE FUNCTION protect_tenant_switches() RETURNS trigger LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF row_security_active('public.tenants_tenant') AND signed_setting('tenants') IS DISTINCT FROM '*'
    AND (NEW.id, NEW.slug, NEW.sandbox, NEW.active, NEW.requests_per_second, NEW.recipients_per_second, NEW.quotas)
      IS DISTINCT FROM (OLD.id, OLD.slug, OLD.sandbox, OLD.active, OLD.requests_per_second, OLD.recipients_per_second,
        OLD.quotas) THEN
    RAISE EXCEPTION 'Only an operator may change these columns of a tenant' USING ERRCODE = 'insufficient_privilege';
  END IF;
  RETURN NEW;
END $$;
CREATE TRIGGER protect_tenant_switches BEFORE UPDATE ON tenants_tenant FOR EACH ROW EXECUTE FUNCTION protect_tenant_switches();
-- tenants.models.PasswordField selects this in place of the column
CREATE FUNCTION password_for_web(user_id bigint) RETURNS varchar LANGUAGE sql STABLE {AS_OWNER} AS $$
  SELECT u.password FROM tenants_user u WHERE u.id = user_id
    AND (u.id = nullif(signed_setting('user'), '')::bigint OR signed_setting('tenants') = '*')
$$;
CREATE FUNCTION password_of(user_id bigint) RETURNS varchar
  LANGUAGE plpgsql STABLE SET search_path = pg_catalog, public, pg_temp AS $$
BEGIN
  IF row_security_active('public.tenants_user') THEN RETURN coalesce(public.password_for_web(user_id), ''); END IF;
  RETURN (SELECT u.password FROM public.tenants_user u WHERE u.id = user_id);
END $$;
-- for the login form; the site then signs `notifier.user`, to compare the hash
CREATE FUNCTION user_by_login(name varchar) RETURNS bigint LANGUAGE sql STABLE {AS_OWNER} AS $$
  SELECT u.id FROM tenants_user u WHERE u.username = name
$$;
CREATE FUNCTION add_login(username varchar, email varchar, password varchar)
  RETURNS TABLE (id bigint, date_joined timestamptz) LANGUAGE sql VOLATILE {AS_OWNER} AS $$
  INSERT INTO tenants_user (username, email, password, first_name, last_name, is_superuser, is_staff, is_active,
    date_joined, provider_second_factor)
  VALUES ($1, $2, $3, '', '', false, true, true, now(), false) RETURNING tenants_user.id, tenants_user.date_joined
$$;
REVOKE ALL ON FUNCTION password_for_web(bigint), password_of(bigint), user_by_login(varchar),
  add_login(varchar, varchar, varchar) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION password_for_web(bigint), password_of(bigint), user_by_login(varchar),
  add_login(varchar, varchar, varchar) TO {web_role()};
"""

# Second factors, recovery codes and sessions belong to users. The web role sees those of the logged-in user, and the
# sessions of the members of the visible tenants.
OWN = "user_id = (SELECT nullif(signed_setting('user'), ''))::bigint"
SECOND_FACTORS = f"""
ALTER TABLE tenants_authenticator ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants_authenticator USING ({OWN}) WITH CHECK ({OWN});
ALTER TABLE tenants_recoverycode ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants_recoverycode USING ({OWN}) WITH CHECK ({OWN});
ALTER TABLE tenants_loginsession ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON tenants_loginsession USING ({OWN}) WITH CHECK ({OWN});
CREATE POLICY seen ON tenants_loginsession FOR SELECT USING (
  (SELECT signed_setting('tenants')) = '*' OR user_id = ANY (ARRAY(SELECT m.user_id FROM tenants_member m)));
CREATE POLICY ended ON tenants_loginsession FOR DELETE USING (
  (SELECT signed_setting('tenants')) = '*' OR user_id = ANY (ARRAY(SELECT m.user_id FROM tenants_member m)));
-- a deleted row ends its session
CREATE FUNCTION end_session() RETURNS trigger LANGUAGE plpgsql {AS_OWNER} AS $$
BEGIN
  DELETE FROM django_session WHERE session_key = OLD.digest;
  RETURN NULL;
END $$;
CREATE TRIGGER end_session AFTER DELETE ON tenants_loginsession FOR EACH ROW EXECUTE FUNCTION end_session();
-- a new password, an inactive login and a lost membership end every session of the login
CREATE FUNCTION end_sessions_of_user() RETURNS trigger LANGUAGE plpgsql {AS_OWNER} AS $$
BEGIN
  IF TG_TABLE_NAME = 'tenants_user' THEN DELETE FROM tenants_loginsession WHERE user_id = NEW.id;
  ELSE DELETE FROM tenants_loginsession WHERE user_id = OLD.user_id;
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER end_sessions AFTER UPDATE ON tenants_user FOR EACH ROW
  WHEN (OLD.password IS DISTINCT FROM NEW.password OR (OLD.is_active AND NOT NEW.is_active))
  EXECUTE FUNCTION end_sessions_of_user();
CREATE TRIGGER end_sessions AFTER DELETE ON tenants_member FOR EACH ROW EXECUTE FUNCTION end_sessions_of_user();
-- whether a tenant of the logged-in user asks for a second factor
CREATE FUNCTION second_factor_required() RETURNS boolean LANGUAGE sql STABLE {AS_OWNER} AS $$
  SELECT EXISTS (SELECT FROM tenants_member m JOIN tenants_tenant t ON t.id = m.tenant_id
    WHERE m.user_id = nullif(signed_setting('user'), '')::bigint AND t.require_two_factor)
$$;
-- which members of the visible tenants have a second factor
CREATE FUNCTION users_with_second_factor() RETURNS TABLE (user_id bigint) LANGUAGE sql STABLE {AS_OWNER} AS $$
  SELECT a.user_id FROM tenants_authenticator a WHERE a.confirmed_at IS NOT NULL AND (
    (SELECT signed_setting('tenants')) = '*'
    OR EXISTS (SELECT FROM tenants_member m WHERE m.user_id = a.user_id AND ({visible_sql("m.tenant_id")})))
$$;
-- Takes the second factor of a member away and ends the member's sessions. False, and nothing changed, unless the
-- logged-in user is an owner of every tenant of the member: an owner of one tenant may not weaken a login of another.
CREATE FUNCTION reset_second_factor(target bigint) RETURNS boolean LANGUAGE plpgsql VOLATILE {AS_OWNER} AS $$
DECLARE
  caller bigint := nullif(signed_setting('user'), '')::bigint;
BEGIN
  IF signed_setting('tenants') IS DISTINCT FROM '*' AND (
    EXISTS (SELECT FROM tenants_user u WHERE u.id = target AND u.is_superuser)
    OR NOT EXISTS (SELECT FROM tenants_member m WHERE m.user_id = target)
    OR EXISTS (SELECT FROM tenants_member m WHERE m.user_id = target AND NOT EXISTS (
      SELECT FROM tenants_member o WHERE o.tenant_id = m.tenant_id AND o.user_id = caller AND o.role = 'owner')))
  THEN RETURN false; END IF;
  DELETE FROM tenants_authenticator WHERE user_id = target;
  DELETE FROM tenants_recoverycode WHERE user_id = target;
  DELETE FROM tenants_loginsession WHERE user_id = target;
  RETURN true;
END $$;
REVOKE ALL ON FUNCTION end_session(), end_sessions_of_user(), second_factor_required(), users_with_second_factor(),
  reset_second_factor(bigint) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION second_factor_required(), users_with_second_factor(), reset_second_factor(bigint)
  TO {web_role()};
"""

TENANT_OWNED = (
    "apikey",
    "auditlog",
    "category",
    "consentchange",
    "device",
    "erasedaddress",
    "erasure",
    "idempotencykey",
    "import",
    "invitation",
    "member",
    "optinproof",
    "preference",
    "recipient",
    "suppression",
)


class Migration(migrations.Migration):
    initial = True

    dependencies = [
        ("auth", "0012_alter_user_first_name_max_length"),
    ]

    operations = [
        migrations.RunSQL(FUNCTIONS),
        migrations.CreateModel(
            name="Tenant",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=200)),
                ("slug", models.SlugField(max_length=64, unique=True)),
                ("default_locale", models.CharField(default="en", max_length=16)),
                (
                    "timezone",
                    models.CharField(default="UTC", max_length=64, validators=[tenants.models.accounts.check_timezone]),
                ),
                (
                    "sandbox",
                    models.BooleanField(
                        default=True,
                        help_text="All messages go to the built-in sandbox; no recipient is reached. Only an operator switches it off.",
                    ),
                ),
                (
                    "link_schemes",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=32),
                        blank=True,
                        default=list,
                        help_text="URL schemes of your apps that links in messages may have besides https and http: myapp, myapp-beta.",
                        size=None,
                    ),
                ),
                (
                    "sms_segments",
                    models.PositiveSmallIntegerField(
                        default=6,
                        help_text="The most segments of one SMS: providers bill each. A longer text is refused.",
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(10),
                        ],
                        verbose_name="SMS segments",
                    ),
                ),
                (
                    "sms_transliterate",
                    models.BooleanField(
                        default=False,
                        help_text="Letters outside of GSM-7 become similar ones (ş: s) where that keeps an SMS short.",
                        verbose_name="SMS in plain letters",
                    ),
                ),
                (
                    "opt_in",
                    models.CharField(
                        choices=[
                            ("off", "No opt-in: everyone gets them who did not opt out"),
                            ("single", "Opt-in: only recipients who asked for them"),
                            ("double", "Double opt-in: only recipients who asked for them and confirmed it"),
                        ],
                        default="off",
                        help_text="For marketing categories that do not say otherwise.",
                        max_length=6,
                        verbose_name="opt-in to marketing",
                    ),
                ),
                (
                    "send_windows",
                    models.TextField(
                        blank=True,
                        help_text="When marketing may leave, in the recipient's local time: a line for each channel and country, such as sms DE mon-sat 09:00-20:00 or sms US off; * stands for all other countries. A line replaces the built-in window of that country; the line built-in off removes all of them. Built in: no SMS between 21:00 and 08:00.",
                        max_length=4000,
                    ),
                ),
                (
                    "brand_color",
                    models.CharField(
                        blank=True,
                        help_text="Of the buttons on your recipients' preferences page: #1d4ed8.",
                        max_length=7,
                        validators=[
                            django.core.validators.RegexValidator(
                                "^#[0-9a-fA-F]{6}\\Z", "Must be a colour such as #1d4ed8."
                            )
                        ],
                        verbose_name="brand colour",
                    ),
                ),
                (
                    "logo_url",
                    models.CharField(
                        blank=True,
                        help_text="The https address of a picture, shown on your recipients' preferences page.",
                        max_length=500,
                        validators=[django.core.validators.URLValidator(["https"])],
                        verbose_name="logo",
                    ),
                ),
                (
                    "approval",
                    models.CharField(
                        choices=[
                            ("never", "None: each campaign is launched without an approval"),
                            (
                                "above",
                                "Large ones: campaigns to more recipients than the number below, and to topics",
                            ),
                            ("always", "All: every campaign needs an approval"),
                        ],
                        default="never",
                        help_text="A second person, who did not write it, looks at the campaign before GO.",
                        max_length=6,
                        verbose_name="campaigns that need an approval",
                    ),
                ),
                (
                    "approval_above",
                    models.PositiveIntegerField(
                        default=1000,
                        help_text="For large campaigns: up to so many recipients, no approval is needed.",
                        verbose_name="approval above (recipients)",
                    ),
                ),
                (
                    "require_test_copy",
                    models.BooleanField(
                        default=False,
                        help_text="GO needs a test send since the last edit of the message.",
                        verbose_name="test send before GO",
                    ),
                ),
                (
                    "confirm_above",
                    models.PositiveIntegerField(
                        default=1000,
                        help_text="Above so many recipients the page of GO asks a person to type their number.",
                        verbose_name="type the number above (recipients)",
                    ),
                ),
                (
                    "keep_messages_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Requests, messages with their content and history, and the inbox. Empty: as the"
                        " operator says.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="messages are kept for (days)",
                    ),
                ),
                (
                    "keep_counts_days",
                    models.PositiveSmallIntegerField(
                        blank=True,
                        help_text="Reports and counts by day of messages that are deleted. Empty: as the operator"
                        " says.",
                        null=True,
                        validators=[django.core.validators.MinValueValidator(1)],
                        verbose_name="counts are kept for (days)",
                    ),
                ),
                ("page_texts", models.JSONField(blank=True, default=dict, editable=False)),
                (
                    "status_page",
                    models.BooleanField(
                        default=False,
                        help_text="Anybody may see at /status/ and the slug whether your channels work, and your incidents.",
                        verbose_name="public status page",
                    ),
                ),
                (
                    "tracking",
                    models.CharField(
                        choices=[
                            ("off", "Off: links are sent as they are"),
                            ("anonymous", "Anonymous: counted for each campaign, for no person"),
                            (
                                "on",
                                "On: recorded for each recipient; most laws ask for the recipient's consent",
                            ),
                        ],
                        default="off",
                        help_text="Of mail that leaves through a mail server. Email services track by their own "
                        "settings.",
                        max_length=9,
                        verbose_name="opens and clicks of emails",
                    ),
                ),
                (
                    "requests_per_second",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Of all API keys together. Empty: the limit of the installation.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                        verbose_name="requests a second",
                    ),
                ),
                (
                    "recipients_per_second",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="A bulk request of 1,000 counts 1,000. Empty: the limit of the installation.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                        verbose_name="recipients a second",
                    ),
                ),
                ("quotas", models.JSONField(blank=True, editable=False, null=True)),
                (
                    "active",
                    models.BooleanField(default=True, help_text="The API refuses the keys of an inactive tenant."),
                ),
                ("inbox_secret", models.BinaryField(default=bytes)),
                ("erasure_salt", models.BinaryField(default=tenants.models.accounts._salt)),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                (
                    "require_two_factor",
                    models.BooleanField(
                        default=False,
                        help_text="Members log in with a second factor; those who have none set one up first.",
                        verbose_name="two-factor login",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="User",
            fields=[
                ("id", models.BigAutoField(auto_created=True, primary_key=True, serialize=False, verbose_name="ID")),
                ("password", tenants.models.accounts.PasswordField(max_length=128, verbose_name="password")),
                ("last_login", models.DateTimeField(blank=True, null=True, verbose_name="last login")),
                (
                    "is_superuser",
                    models.BooleanField(
                        default=False,
                        help_text="Designates that this user has all permissions without explicitly assigning them.",
                        verbose_name="superuser status",
                    ),
                ),
                (
                    "username",
                    models.CharField(
                        error_messages={"unique": "A user with that username already exists."},
                        help_text="Required. 150 characters or fewer. Letters, digits and @/./+/-/_ only.",
                        max_length=150,
                        unique=True,
                        validators=[django.contrib.auth.validators.UnicodeUsernameValidator()],
                        verbose_name="username",
                    ),
                ),
                ("first_name", models.CharField(blank=True, max_length=150, verbose_name="first name")),
                ("last_name", models.CharField(blank=True, max_length=150, verbose_name="last name")),
                ("email", models.EmailField(blank=True, max_length=254, verbose_name="email address")),
                (
                    "is_staff",
                    models.BooleanField(
                        default=False,
                        help_text="Designates whether the user can log into this admin site.",
                        verbose_name="staff status",
                    ),
                ),
                (
                    "is_active",
                    models.BooleanField(
                        default=True,
                        help_text="Designates whether this user should be treated as active. Unselect this instead of deleting accounts.",
                        verbose_name="active",
                    ),
                ),
                ("date_joined", models.DateTimeField(default=django.utils.timezone.now, verbose_name="date joined")),
                (
                    "groups",
                    models.ManyToManyField(
                        blank=True,
                        help_text="The groups this user belongs to. A user will get all permissions granted to each of their groups.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.group",
                        verbose_name="groups",
                    ),
                ),
                (
                    "user_permissions",
                    models.ManyToManyField(
                        blank=True,
                        help_text="Specific permissions for this user.",
                        related_name="user_set",
                        related_query_name="user",
                        to="auth.permission",
                        verbose_name="user permissions",
                    ),
                ),
                ("oidc_subject", models.CharField(editable=False, max_length=64, null=True, unique=True)),
                ("provider_second_factor", models.BooleanField(default=False, editable=False)),
            ],
            options={
                "verbose_name": "user",
                "verbose_name_plural": "users",
                "abstract": False,
            },
            managers=[
                ("objects", django.contrib.auth.models.UserManager()),
            ],
        ),
        migrations.CreateModel(
            name="Recipient",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("external_id", models.CharField(max_length=128)),
                ("name", models.CharField(blank=True, max_length=200)),
                ("email", models.EmailField(blank=True, max_length=254)),
                ("phone", models.CharField(blank=True, help_text="E.164, such as +491701234567", max_length=16)),
                ("locale", models.CharField(blank=True, help_text="BCP 47, such as de-AT", max_length=16)),
                (
                    "timezone",
                    models.CharField(blank=True, max_length=64, validators=[tenants.models.accounts.check_timezone]),
                ),
                (
                    "device_timezone",
                    models.CharField(blank=True, db_default="", default="", editable=False, max_length=64),
                ),
                ("attributes", models.JSONField(blank=True, default=dict)),
                (
                    "status",
                    models.CharField(
                        choices=[("active", "Active"), ("blocked", "Blocked"), ("erased", "Erased")],
                        default="active",
                        max_length=8,
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
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
        ),
        migrations.CreateModel(
            name="Preference",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "everything_off",
                    models.BooleanField(
                        db_default=False,
                        default=False,
                        help_text="Nothing but critical and transactional messages.",
                    ),
                ),
                (
                    "channels_off",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=16), blank=True, default=list, size=None
                    ),
                ),
                (
                    "categories_off",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=96),
                        blank=True,
                        default=list,
                        help_text="A category's key, or key:channel for one channel of it.",
                        size=None,
                    ),
                ),
                (
                    "categories_on",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=96),
                        blank=True,
                        default=list,
                        help_text="What the recipient asked for: a category's key, or key:channel for one channel of it.",
                        size=None,
                    ),
                ),
                (
                    "preferred_channels",
                    models.JSONField(
                        blank=True,
                        default=dict,
                        help_text='A channel for each category, such as {"promotions": "email"}; "" stands for all categories.',
                    ),
                ),
                ("quiet_from", models.TimeField(blank=True, null=True)),
                ("quiet_until", models.TimeField(blank=True, null=True)),
                (
                    "snoozed_until",
                    models.DateTimeField(blank=True, help_text="Marketing waits until then.", null=True),
                ),
                ("language", models.CharField(blank=True, max_length=16)),
                ("updated_at", models.DateTimeField(auto_now=True)),
                (
                    "recipient",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE, related_name="preference", to="tenants.recipient"
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
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="Member",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner: everything, including members, keys and provider accounts"),
                            (
                                "author",
                                "Author: writes people, templates, audiences and campaigns, and launches them",
                            ),
                            ("approver", "Approver: approves campaigns, changes nothing else"),
                            (
                                "operator",
                                "Operator: launches, pauses and stops campaigns, retries messages, tests accounts",
                            ),
                            ("viewer", "Viewer: sees the pages, changes nothing"),
                        ],
                        default="author",
                        max_length=16,
                    ),
                ),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="memberships",
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
                ("by_claim", models.BooleanField(default=False, editable=False)),
            ],
        ),
        migrations.CreateModel(
            name="Import",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                (
                    "state",
                    models.CharField(
                        choices=[
                            ("waiting", "Waiting"),
                            ("running", "Running"),
                            ("done", "Done"),
                            ("refused", "Refused: the file cannot be read, nothing was changed"),
                            ("failed", "Failed: nothing was changed"),
                        ],
                        default="waiting",
                        editable=False,
                        max_length=10,
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[("recipients", "People"), ("consents", "Consents"), ("list", "List")],
                        default="recipients",
                        editable=False,
                        max_length=10,
                    ),
                ),
                ("audience_id", models.UUIDField(editable=False, null=True)),
                ("filename", models.CharField(editable=False, max_length=255)),
                ("stored", models.CharField(editable=False, max_length=255)),
                ("left_out", models.CharField(blank=True, default="", editable=False, max_length=255)),
                ("size", models.BigIntegerField(default=0, editable=False)),
                ("bytes_read", models.BigIntegerField(default=0, editable=False)),
                ("rows", models.IntegerField(default=0, editable=False)),
                ("created", models.IntegerField(default=0, editable=False)),
                ("updated", models.IntegerField(default=0, editable=False)),
                ("unchanged", models.IntegerField(default=0, editable=False)),
                ("devices", models.IntegerField(default=0, editable=False)),
                ("rejected", models.IntegerField(default=0, editable=False)),
                ("list_report", models.JSONField(default=dict, editable=False)),
                ("columns", models.JSONField(default=list, editable=False)),
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
                        db_index=False,
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="IdempotencyKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("mode", models.CharField(max_length=8)),
                ("key", models.CharField(max_length=255)),
                ("endpoint", models.CharField(max_length=100)),
                ("body_digest", models.BinaryField(max_length=32)),
                ("status", models.SmallIntegerField()),
                ("response", models.JSONField()),
                ("created_at", models.DateTimeField(auto_now_add=True, db_index=True)),
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
            name="Device",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("platform", models.CharField(default="fcm", max_length=16)),
                ("token", models.CharField(max_length=1024)),
                (
                    "app",
                    models.CharField(blank=True, help_text="The app of yours that made the token.", max_length=100),
                ),
                (
                    "timezone",
                    models.CharField(
                        blank=True,
                        db_default="",
                        default="",
                        help_text="Of the phone, as the app reports it. It counts before the recipient's own time zone.",
                        max_length=64,
                        validators=[tenants.models.accounts.check_timezone],
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("last_seen_at", models.DateTimeField(auto_now_add=True)),
                ("dead_since", models.DateTimeField(blank=True, null=True)),
                ("dead_reason", models.CharField(blank=True, db_default="", default="", max_length=200)),
                (
                    "recipient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="devices", to="tenants.recipient"
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
            name="ConsentChange",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("recipient_id", models.UUIDField(null=True)),
                ("channel", models.CharField(blank=True, max_length=16)),
                ("address", models.CharField(blank=True, max_length=1024)),
                ("changed", models.CharField(max_length=32)),
                (
                    "source",
                    models.CharField(
                        choices=[
                            ("person", "person"),
                            ("api", "api"),
                            ("admin", "admin"),
                            ("import", "import"),
                            ("receipt", "receipt"),
                            ("system", "system"),
                        ],
                        max_length=8,
                    ),
                ),
                ("detail", models.JSONField(default=dict)),
                ("at", models.DateTimeField()),
                ("transaction_id", models.BigIntegerField(default=0)),
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
            name="Category",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("key", models.SlugField(max_length=64)),
                ("name", models.CharField(max_length=200)),
                (
                    "description",
                    models.CharField(
                        blank=True, help_text="Shown to recipients on their preferences page.", max_length=500
                    ),
                ),
                (
                    "kind",
                    models.CharField(
                        choices=[
                            ("transactional", "transactional"),
                            ("marketing", "marketing"),
                            ("critical", "critical"),
                        ],
                        default=notifier.vocabulary.status.Kind["TRANSACTIONAL"],
                        max_length=16,
                    ),
                ),
                (
                    "opt_in",
                    models.CharField(
                        blank=True,
                        choices=[
                            ("", "As the tenant's settings say (marketing only)"),
                            *[
                                ("off", "No opt-in: everyone gets them who did not opt out"),
                                ("single", "Opt-in: only recipients who asked for them"),
                                ("double", "Double opt-in: only recipients who asked for them and confirmed it"),
                            ],
                        ],
                        help_text="Whether a recipient gets messages of the category before the recipient asked for them.",
                        max_length=6,
                        verbose_name="opt-in",
                    ),
                ),
                (
                    "preferred_channels",
                    django.contrib.postgres.fields.ArrayField(
                        base_field=models.CharField(max_length=16),
                        blank=True,
                        default=list,
                        help_text="In this order. A message leaves on the first of these channels that reaches the recipient; on all channels when none of these reaches, or when this is empty.",
                        size=None,
                    ),
                ),
                (
                    "over_cap",
                    models.CharField(
                        choices=[
                            ("drop", "Drop: the message is not sent"),
                            ("defer", "Defer: the message leaves in the next window that has room"),
                            ("digest", "Digest: the message joins the category's next digest"),
                        ],
                        default="drop",
                        help_text="What becomes of a message that exceeds a frequency cap.",
                        max_length=6,
                        verbose_name="over the cap",
                    ),
                ),
                ("archived_at", models.DateTimeField(editable=False, null=True)),
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
                "verbose_name_plural": "categories",
            },
        ),
        migrations.CreateModel(
            name="AuditLog",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("api_key_id", models.UUIDField(blank=True, null=True)),
                ("action", models.CharField(max_length=64)),
                ("object_id", models.CharField(blank=True, max_length=64)),
                ("detail", models.JSONField(default=dict)),
                ("at", models.DateTimeField(auto_now_add=True)),
                ("chain", models.BinaryField(max_length=40, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
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
                        on_delete=django.db.models.deletion.PROTECT,
                        related_name="+",
                        to="tenants.tenant",
                    ),
                ),
            ],
            options={
                "verbose_name_plural": "audit log",
            },
        ),
        migrations.CreateModel(
            name="ApiKey",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("name", models.CharField(max_length=100)),
                (
                    "mode",
                    models.CharField(
                        choices=[("live", "live"), ("test", "test")],
                        default=notifier.vocabulary.status.Mode["LIVE"],
                        max_length=8,
                    ),
                ),
                ("prefix", models.CharField(editable=False, max_length=20)),
                ("digest", models.BinaryField(max_length=32, unique=True)),
                (
                    "scopes",
                    models.JSONField(
                        default=list,
                        help_text='["*"] or some of: send, recipients, campaigns, approvals, inbox, events.',
                    ),
                ),
                (
                    "requests_per_second",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Of this key, within the limit of the tenant. Empty: that limit alone.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                        verbose_name="requests a second",
                    ),
                ),
                (
                    "recipients_per_second",
                    models.PositiveIntegerField(
                        blank=True,
                        help_text="Of this key, within the limit of the tenant. Empty: that limit alone.",
                        null=True,
                        validators=[
                            django.core.validators.MinValueValidator(1),
                            django.core.validators.MaxValueValidator(1000000),
                        ],
                        verbose_name="recipients a second",
                    ),
                ),
                ("created_at", models.DateTimeField(auto_now_add=True)),
                ("last_used_at", models.DateTimeField(blank=True, editable=False, null=True)),
                ("revoked_at", models.DateTimeField(blank=True, null=True)),
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
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="OptInProof",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("category", models.CharField(max_length=64)),
                (
                    "entries",
                    django.contrib.postgres.fields.ArrayField(base_field=models.CharField(max_length=96), size=None),
                ),
                ("asked_at", models.DateTimeField()),
                (
                    "asked_by",
                    models.CharField(help_text="api, page (the preferences page), widget, or import.", max_length=8),
                ),
                (
                    "asked_from",
                    models.GenericIPAddressField(help_text="The network address of the caller.", null=True),
                ),
                (
                    "asked_with",
                    models.CharField(blank=True, help_text="The user agent of the caller.", max_length=300),
                ),
                ("language", models.CharField(max_length=16)),
                (
                    "text",
                    models.TextField(
                        help_text="The mail that asked for the confirmation, without its link; of an import, where it was given."
                    ),
                ),
                ("text_sha256", models.CharField(max_length=64)),
                ("notification_id", models.UUIDField(help_text="The notification that was the mail.", null=True)),
                ("confirmed_at", models.DateTimeField(null=True)),
                ("confirmed_from", models.GenericIPAddressField(null=True)),
                ("confirmed_with", models.CharField(blank=True, max_length=300)),
                (
                    "recipient",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="opt_in_proofs",
                        to="tenants.recipient",
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
                "verbose_name": "opt-in proof",
                "indexes": [
                    models.Index(fields=["tenant", "-id"], name="opt_in_proof_newest"),
                    models.Index(fields=["recipient", "category", "-id"], name="opt_in_proof_of_recipient"),
                ],
            },
        ),
        migrations.CreateModel(
            name="Suppression",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("channel", models.CharField(max_length=16)),
                ("address", models.CharField(max_length=1024)),
                (
                    "cause",
                    models.CharField(
                        choices=[
                            ("bounce", "Bounce"),
                            ("complaint", "Complaint"),
                            ("unsubscribe", "Unsubscribe"),
                            ("dead", "Dead"),
                            ("manual", "Manual"),
                            ("erased", "Erased: the address of a person who was erased"),
                        ],
                        default="manual",
                        max_length=16,
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
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "channel", "address"), name="suppression_once")
                ],
            },
        ),
        migrations.AddIndex(
            model_name="recipient",
            index=models.Index(fields=["tenant", "id"], name="recipient_walk"),
        ),
        migrations.AddIndex(
            model_name="recipient",
            index=models.Index(
                condition=models.Q(("status", "active"), _negated=True),
                fields=["tenant", "status", "external_id"],
                name="recipient_inactive",
            ),
        ),
        migrations.AddIndex(
            model_name="device",
            index=models.Index(fields=["tenant", "-id"], name="device_newest"),
        ),
        migrations.AddIndex(
            model_name="device",
            index=models.Index(
                condition=models.Q(("dead_since__isnull", True)),
                fields=["platform", "last_seen_at"],
                name="device_last_seen",
            ),
        ),
        migrations.AddIndex(
            model_name="preference",
            index=models.Index(fields=["tenant", "-id"], name="preference_newest"),
        ),
        migrations.AddIndex(
            model_name="suppression",
            index=models.Index(fields=["tenant", "-id"], name="suppression_newest"),
        ),
        migrations.AddIndex(
            model_name="idempotencykey",
            index=models.Index(fields=["tenant", "id"], name="idempotency_key_newest"),
        ),
        migrations.AddConstraint(
            model_name="recipient",
            constraint=models.UniqueConstraint(fields=("tenant", "external_id"), name="recipient_external_id"),
        ),
        migrations.AddConstraint(
            model_name="member",
            constraint=models.UniqueConstraint(fields=("tenant", "user"), name="member_once_per_tenant"),
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(fields=["tenant", "-id"], name="import_newest"),
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(
                condition=models.Q(("audience_id__isnull", False)),
                fields=["audience_id", "-id"],
                name="import_of_list",
            ),
        ),
        migrations.AddIndex(
            model_name="import",
            index=models.Index(
                condition=models.Q(("state__in", ["waiting", "running"])), fields=["id"], name="import_open"
            ),
        ),
        migrations.AddConstraint(
            model_name="idempotencykey",
            constraint=models.UniqueConstraint(
                fields=("tenant", "mode", "endpoint", "key"), name="idempotency_key_once"
            ),
        ),
        migrations.AddConstraint(
            model_name="device",
            constraint=models.UniqueConstraint(fields=("tenant", "platform", "token"), name="device_token_once"),
        ),
        migrations.AddIndex(
            model_name="consentchange",
            index=models.Index(fields=["tenant", "at"], name="consent_change_at"),
        ),
        migrations.AddIndex(
            model_name="consentchange",
            index=models.Index(fields=["tenant", "transaction_id"], name="consent_change_transaction"),
        ),
        migrations.AddIndex(
            model_name="consentchange",
            index=models.Index(fields=["tenant", "-id"], name="consent_change_newest"),
        ),
        migrations.AddIndex(
            model_name="consentchange",
            index=models.Index(
                condition=models.Q(("recipient_id__isnull", False)),
                fields=["recipient_id"],
                name="consent_change_recipient",
            ),
        ),
        migrations.AddIndex(
            model_name="consentchange",
            index=models.Index(
                condition=models.Q(("address", ""), _negated=True), fields=["address"], name="consent_change_address"
            ),
        ),
        migrations.AddConstraint(
            model_name="category",
            constraint=models.UniqueConstraint(fields=("tenant", "key"), name="category_key"),
        ),
        migrations.AddIndex(
            model_name="auditlog",
            index=models.Index(fields=["tenant", "-id"], name="audit_log_newest"),
        ),
        migrations.AddIndex(
            model_name="auditlog",
            index=models.Index(fields=["tenant", "action", "-id"], name="audit_log_action"),
        ),
        migrations.AddIndex(
            model_name="auditlog",
            index=models.Index(fields=["object_id"], name="audit_log_object"),
        ),
        migrations.AddIndex(
            model_name="auditlog",
            index=models.Index(fields=["user", "-id"], name="audit_log_user"),
        ),
        migrations.AddIndex(
            model_name="auditlog",
            index=models.Index(condition=models.Q(("chain__isnull", True)), fields=["id"], name="audit_log_unchained"),
        ),
        migrations.AddIndex(
            model_name="auditlog",
            index=models.Index(
                condition=models.Q(("chain__isnull", False)), fields=["tenant", "chain"], name="audit_log_chain"
            ),
        ),
        migrations.CreateModel(
            name="ErasedAddress",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("channel", models.CharField(max_length=16)),
                ("digest", models.BinaryField(max_length=32)),
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
                "verbose_name_plural": "erased addresses",
                "constraints": [
                    models.UniqueConstraint(fields=("tenant", "channel", "digest"), name="erased_address_once")
                ],
            },
        ),
        migrations.CreateModel(
            name="Erasure",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("recipient_id", models.UUIDField()),
                (
                    "state",
                    models.CharField(
                        choices=[("running", "Running"), ("done", "Done")], default="running", max_length=8
                    ),
                ),
                ("removed", models.JSONField(default=dict)),
                ("requested_at", models.DateTimeField()),
                ("finished_at", models.DateTimeField(null=True)),
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
                    models.Index(fields=["tenant", "-id"], name="erasure_newest"),
                    models.Index(condition=models.Q(("state", "running")), fields=["id"], name="erasure_running"),
                ],
                "constraints": [models.UniqueConstraint(fields=("tenant", "recipient_id"), name="erasure_once")],
            },
        ),
        migrations.CreateModel(
            name="Authenticator",
            fields=[
                (
                    "throttling_failure_timestamp",
                    models.DateTimeField(
                        blank=True,
                        default=None,
                        help_text="A timestamp of the last failed verification attempt. Null if last attempt succeeded.",
                        null=True,
                    ),
                ),
                (
                    "throttling_failure_count",
                    models.PositiveIntegerField(default=0, help_text="Number of successive failed attempts."),
                ),
                (
                    "user",
                    models.OneToOneField(
                        on_delete=django.db.models.deletion.CASCADE,
                        primary_key=True,
                        related_name="authenticator",
                        serialize=False,
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
                ("secret", models.BinaryField()),
                ("confirmed_at", models.DateTimeField(editable=False, null=True)),
                ("last_step", models.BigIntegerField(default=-1, editable=False)),
            ],
            options={
                "abstract": False,
            },
        ),
        migrations.CreateModel(
            name="LoginSession",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("digest", models.CharField(editable=False, max_length=40, unique=True)),
                ("browser", models.CharField(blank=True, max_length=100)),
                ("address", models.CharField(blank=True, max_length=64)),
                ("begun_at", models.DateTimeField()),
                ("last_used_at", models.DateTimeField()),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE,
                        related_name="login_sessions",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
        ),
        migrations.CreateModel(
            name="LoadShedding",
            fields=[
                ("id", models.SmallIntegerField(default=1, primary_key=True, serialize=False)),
                (
                    "switch",
                    models.CharField(
                        choices=[("auto", "auto"), ("on", "on"), ("off", "off")], default="auto", max_length=4
                    ),
                ),
                ("switch_until", models.DateTimeField(blank=True, null=True)),
                (
                    "decided",
                    models.CharField(
                        choices=[("normal", "normal"), ("shedding", "shedding")], default="normal", max_length=8
                    ),
                ),
                ("decided_at", models.DateTimeField(blank=True, null=True)),
                ("cause", models.CharField(blank=True, max_length=64)),
                ("asked_since", models.DateTimeField(blank=True, null=True)),
                (
                    "switched_by",
                    models.ForeignKey(
                        blank=True,
                        db_index=False,
                        null=True,
                        on_delete=django.db.models.deletion.SET_NULL,
                        related_name="+",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "constraints": [models.CheckConstraint(condition=models.Q(("id", 1)), name="load_shedding_one_row")],
            },
        ),
        migrations.CreateModel(
            name="Invitation",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("email", models.EmailField(max_length=254, verbose_name="mail address")),
                (
                    "role",
                    models.CharField(
                        choices=[
                            ("owner", "Owner: everything, including members, keys and provider accounts"),
                            ("author", "Author: writes people, templates, audiences and campaigns, and launches them"),
                            ("approver", "Approver: approves campaigns, changes nothing else"),
                            (
                                "operator",
                                "Operator: launches, pauses and stops campaigns, retries messages, tests accounts",
                            ),
                            ("viewer", "Viewer: sees the pages, changes nothing"),
                        ],
                        default="author",
                        max_length=16,
                        verbose_name="role",
                    ),
                ),
                ("nonce", models.CharField(editable=False, max_length=32)),
                ("created_at", models.DateTimeField(auto_now_add=True, verbose_name="invited")),
                ("sent_at", models.DateTimeField(editable=False, null=True, verbose_name="mail sent")),
                ("expires_at", models.DateTimeField(editable=False, verbose_name="valid until")),
                ("accepted_at", models.DateTimeField(editable=False, null=True, verbose_name="accepted")),
                ("revoked_at", models.DateTimeField(editable=False, null=True, verbose_name="revoked")),
                (
                    "invited_by",
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
                "constraints": [
                    models.UniqueConstraint(
                        condition=models.Q(("accepted_at", None), ("revoked_at", None)),
                        fields=("tenant", "email"),
                        name="invitation_open_once",
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="RecoveryCode",
            fields=[
                (
                    "id",
                    models.UUIDField(
                        default=notifier.vocabulary.ids.new_id, editable=False, primary_key=True, serialize=False
                    ),
                ),
                ("digest", models.BinaryField(max_length=32)),
                ("used_at", models.DateTimeField(editable=False, null=True)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=django.db.models.deletion.CASCADE, related_name="+", to=settings.AUTH_USER_MODEL
                    ),
                ),
            ],
            options={
                "constraints": [models.UniqueConstraint(fields=("user", "digest"), name="recovery_code_once")],
            },
        ),
        migrations.RunSQL(CONSENT),
        migrations.RunSQL(SUPPRESS_ERASED),
        migrations.RunSQL(BEFORE_THE_TENANT),
        # each row is deleted after two days: a vacuum at a twentieth of dead rows, as in the ledger
        migrations.RunSQL(
            "ALTER TABLE tenants_idempotencykey SET (autovacuum_vacuum_scale_factor = 0.05,"
            " autovacuum_vacuum_threshold = 500)",
            migrations.RunSQL.noop,
        ),
        append_only("tenants_consentchange", ERASING),
        append_only("tenants_auditlog", "OLD.chain IS NULL AND (to_jsonb(OLD) - 'chain') = (to_jsonb(NEW) - 'chain')"),
        migrations.RunSQL(MERGE_ATTRIBUTES),
        create_search_index(),
        # segments over attributes
        migrations.RunSQL("CREATE INDEX segment_attributes ON tenants_recipient USING gin (attributes jsonb_path_ops)"),
        isolate("tenants_tenant", "id"),
        *[isolate(f"tenants_{name}") for name in TENANT_OWNED],
        # the web role may not store a chained row
        migrations.RunSQL(
            "CREATE POLICY unchained ON tenants_auditlog AS RESTRICTIVE FOR INSERT WITH CHECK (chain IS NULL)"
        ),
        migrations.RunSQL(LOGINS),
        migrations.RunSQL(SECOND_FACTORS),
        operators_write("tenants_loadshedding"),
    ]
