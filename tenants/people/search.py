"""Finds recipients by a part of their name, email, phone or external id."""

from __future__ import annotations

import uuid

from django.db import connection
from django.db.migrations import RunSQL

from tenants.database.isolation import visible_sql, web_role

#: a trigram index has no entries for fewer letters
MIN_TERM = 3
_TEXT = "(external_id || ' ' || name || ' ' || email || ' ' || phone)"


def search_recipients(term: str, tenant: uuid.UUID | None, at_most: int) -> list[uuid.UUID]:
    """Ids of recipients in whose fields each of the first five words of the term occurs. Of one tenant, or of all in
    scope. Words of fewer than MIN_TERM letters are ignored."""
    words = [word for word in term.split() if len(word) >= MIN_TERM][:5]
    if not words:
        return []
    patterns = [f"%{_escaped(word)}%" for word in words]
    with connection.cursor() as cursor:
        cursor.execute("SELECT id FROM recipients_like(%s::uuid, %s::text[], %s)", [tenant, patterns, at_most])
        return [recipient_id for (recipient_id,) in cursor.fetchall()]


def _escaped(word: str) -> str:
    return word.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")


def create_search_index() -> RunSQL:
    """For the first migration: the index, and the function that may use it. Under row-level security PostgreSQL uses no
    index for ILIKE, because that operator could reveal rows before the policy has hidden them. So the function runs as
    the tables' owner and applies the policy's condition itself. EXECUTE plans for the very term: a rare term by the
    index, a common one in order."""
    return RunSQL(
        f"""
        CREATE EXTENSION IF NOT EXISTS pg_trgm;
        CREATE INDEX recipient_text ON tenants_recipient USING gin ({_TEXT} gin_trgm_ops);
        CREATE FUNCTION recipients_like(of_tenant uuid, patterns text[], at_most int) RETURNS TABLE (id uuid)
        LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, public, pg_temp AS $$
        BEGIN
          RETURN QUERY EXECUTE format(
            'SELECT r.id FROM tenants_recipient r WHERE ({visible_sql("r.tenant_id").replace("'", "''")}) %s %s'
            ' ORDER BY r.external_id LIMIT %s',
            CASE WHEN of_tenant IS NULL THEN '' ELSE format('AND r.tenant_id = %L', of_tenant) END,
            (SELECT string_agg(format('AND {_TEXT.replace("'", "''")} ILIKE %L', p), ' ') FROM unnest(patterns) p),
            at_most);
        END $$;
        REVOKE ALL ON FUNCTION recipients_like(uuid, text[], int) FROM PUBLIC;
        GRANT EXECUTE ON FUNCTION recipients_like(uuid, text[], int) TO {web_role()};
        """,
        "DROP FUNCTION recipients_like(uuid, text[], int); DROP INDEX recipient_text;",
    )
