"""Signed settings: what a transaction of the web role may see, in values that no SQL statement can forge.

The policies of row-level security read three settings, each of which ends with its transaction: `notifier.tenants` (the
visible tenants' ids, or `*`), `notifier.user` (the logged-in user) and `notifier.session` (the request's session). Any
SQL may set them, so each carries a signature by the site, valid for one database connection and one minute:

    <HMAC-SHA256 of kind:backend:expiry:value, 64 hex digits><expiry, 10 digits>:<value>

Behind a pooler the site does not know the connection before the transaction has begun, and other processes use it a
moment later. There, and for what the database signs itself, a signature is valid for one transaction: its expiry is ten
zeros, and the backend is followed by the transaction's beginning in microseconds (`backend/microseconds`).

The SQL function `signed_setting(kind)` checks the signature, once for each table of a statement: 12 to 18 µs. The
workers of a parallel statement are other backends, so its leader calls it (PARALLEL RESTRICTED); they may scan with the
answer.
"""

from __future__ import annotations

import hashlib
import hmac
import time
from typing import Literal

import psycopg
from django.conf import settings
from django.db import connection, transaction

Kind = Literal["tenants", "user", "session"]
#: how long after signing the value is valid; the clocks of web and database may differ by as much
SECONDS = 60
_BLOCK = 64  #: bytes of a block of SHA-256
_OF_TRANSACTION = "0000000000"
#: SQL: what no other transaction has: two transactions of a backend do not begin in the same microsecond
TRANSACTION = "pg_backend_pid() || '/' || trunc(extract(epoch FROM now()) * 1000000)::bigint"

#: For the first migration. Only these functions read the table; every `migrate` stores the site's keys in it.
FUNCTIONS = f"""
CREATE TABLE tenants_signingkey (place int PRIMARY KEY, inner_pad bytea NOT NULL, outer_pad bytea NOT NULL);
CREATE FUNCTION signed_setting(kind text) RETURNS text
  LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
  value text := current_setting('notifier.' || kind, true);
  of_transaction bool;
  bound text := pg_backend_pid();
  signed bytea;
BEGIN
  IF value IS NULL OR value = '' THEN RETURN NULL; END IF;
  of_transaction := substr(value, 65, 10) = '{_OF_TRANSACTION}';
  IF of_transaction THEN bound := {TRANSACTION}; END IF;
  signed := convert_to(kind || ':' || bound || ':' || substr(value, 65), 'UTF8');
  PERFORM 1 FROM public.tenants_signingkey k
    WHERE encode(sha256(k.outer_pad || sha256(k.inner_pad || signed)), 'hex') = left(value, 64);
  IF NOT FOUND THEN
    RAISE EXCEPTION 'The setting notifier.% was not signed by this site for this connection', kind
      USING ERRCODE = 'insufficient_privilege', HINT = 'After a change of SECRET_KEY, run manage.py migrate.';
  END IF;
  IF NOT of_transaction AND substr(value, 65, 10)::double precision < date_part('epoch', now()) THEN
    RAISE EXCEPTION 'The signature of the setting notifier.% is older than {SECONDS} s', kind
      USING ERRCODE = 'insufficient_privilege', HINT = 'Compare the clocks of the web and the database machine.';
  END IF;
  RETURN substr(value, 76);
END $$;
-- for other functions of the owner only: a role that may call it may see everything
CREATE FUNCTION sign_setting(kind text, value text) RETURNS text
  LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
  SELECT encode(sha256(k.outer_pad || sha256(k.inner_pad ||
           convert_to(kind || ':' || {TRANSACTION} || ':' || stamped.text, 'UTF8'))), 'hex') || stamped.text
  FROM public.tenants_signingkey k, (SELECT '{_OF_TRANSACTION}:' || value AS text) stamped
  ORDER BY k.place LIMIT 1
$$;
REVOKE ALL ON FUNCTION sign_setting(text, text) FROM PUBLIC;
"""

_STORE = """
INSERT INTO tenants_signingkey (place, inner_pad, outer_pad) VALUES (%s, %s, %s)
ON CONFLICT (place) DO UPDATE SET inner_pad = EXCLUDED.inner_pad, outer_pad = EXCLUDED.outer_pad
"""


#: who makes consent changes; a trigger stores it with each. It opens nothing, so it carries no signature
CONSENT_SOURCE = "notifier.consent_source"


def set_local(kind: Kind, value: str, consent_source: str = "") -> None:
    """Set the setting, signed, for the rest of the open transaction; and the source of consent changes, if given."""
    value = sign(kind, value)
    # A parameter that the server binds: Django's own cursors write values into the statement's text, which
    # pg_stat_activity shows to every connection of the web role
    with psycopg.Cursor(connection.connection) as raw, connection.wrap_database_errors:
        if consent_source:
            raw.execute(
                "SELECT set_config(%s, %s, true), set_config(%s, %s, true)",
                [f"notifier.{kind}", value, CONSENT_SOURCE, consent_source],
            )
        else:
            raw.execute("SELECT set_config(%s, %s, true)", [f"notifier.{kind}", value])


def sign(kind: Kind, value: str) -> str:
    """The value, signed by this site for the current connection, or behind a pooler for the open transaction."""
    connection.ensure_connection()
    if settings.DATABASE_POOLER:
        return signed(_keys()[0], kind, value, backend=_current_transaction(), expires=0)
    backend = connection.connection.info.backend_pid
    return signed(_keys()[0], kind, value, backend=backend, expires=int(time.time()) + SECONDS)


def signed(key: bytes, kind: str, value: str, *, backend: int | str, expires: int) -> str:
    """The text of a signed setting. `expires`: 0 for the setting of a transaction."""
    stamped = f"{expires:010d}:{value}"
    return hmac.new(key, f"{kind}:{backend}:{stamped}".encode(), "sha256").hexdigest() + stamped


def _current_transaction() -> str:
    """The open transaction, as the SQL function names it. A query: behind a pooler libpq knows the pooler's process."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {TRANSACTION}")
        return str(cursor.fetchone()[0])


def key_of(secret_key: str) -> bytes:
    """The signing key that is derived from a SECRET_KEY."""
    return hmac.digest(secret_key.encode(), b"notifier.signed_settings", hashlib.sha256)


def store_keys() -> None:
    """Store the keys by which the database recognises the site: of SECRET_KEY and of its fallbacks. Engine role."""
    keys = _keys()
    with connection.cursor() as cursor:
        for place, key in enumerate(keys):
            block = key.ljust(_BLOCK, b"\0")
            cursor.execute(_STORE, [place, _masked(block, 0x36), _masked(block, 0x5C)])
        cursor.execute("DELETE FROM tenants_signingkey WHERE place >= %s", [len(keys)])


def is_accepted() -> bool:
    """True when the database accepts signatures of this process; else raises ProgrammingError. For /readyz."""
    with transaction.atomic(), connection.cursor() as cursor:
        set_local("session", "readyz")
        cursor.execute("SELECT signed_setting('session')")
        return bool(cursor.fetchone() == ("readyz",))


def _keys() -> list[bytes]:
    return [key_of(secret) for secret in (settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS)]


def _masked(block: bytes, mask: int) -> bytes:
    """The inner or outer pad of HMAC; the database, which has no HMAC, hashes with them."""
    return bytes(byte ^ mask for byte in block)
