"""Triggers that write down each change that only a worker with a stale fence, or a message that was opened again after
its end, can cause. They are in the database of `make chaos` only."""

from __future__ import annotations

from notifier.vocabulary.status import Status

# A sender writes in one thread, with one connection. So another backend that changes the outcomes of a claim wrote
# without holding it, unless the claimer's connection is gone: then the claimer itself connected anew.
INSTALL = f"""
CREATE TABLE chaos_violation (id bigserial, at timestamptz DEFAULT clock_timestamp(), what text);
CREATE TABLE chaos_claim (shard uuid PRIMARY KEY, fence int, backend int, started timestamptz);

CREATE FUNCTION chaos_note(what text) RETURNS void LANGUAGE sql AS
  'INSERT INTO chaos_violation (what) VALUES (what)';

CREATE FUNCTION chaos_delivery() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NEW.fence < OLD.fence THEN
    PERFORM chaos_note(format('delivery %s: fence %s became %s', NEW.id, OLD.fence, NEW.fence));
  ELSE
    PERFORM chaos_note(format('delivery %s: the final status %s became %s', NEW.id, OLD.status, NEW.status));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER chaos_watch AFTER UPDATE ON notifier_delivery FOR EACH ROW
  WHEN (NEW.fence < OLD.fence OR (OLD.status >= {int(Status.SENT)} AND NEW.status < {int(Status.SENT)}))
  EXECUTE FUNCTION chaos_delivery();

CREATE FUNCTION chaos_shard() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET search_path = public AS $$
BEGIN
  IF NEW.fence < OLD.fence THEN
    PERFORM chaos_note(format('shard %s: fence %s became %s', NEW.id, OLD.fence, NEW.fence));
  ELSIF NEW.fence > OLD.fence THEN
    INSERT INTO chaos_claim
    SELECT NEW.id, NEW.fence, pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()
    ON CONFLICT (shard) DO UPDATE SET fence = excluded.fence, backend = excluded.backend, started = excluded.started;
  ELSIF OLD.state IN ('done', 'cancelled') AND NEW.state IN ('armed', 'running') THEN
    PERFORM chaos_note(format('shard %s: %s became %s', NEW.id, OLD.state, NEW.state));
  ELSIF NEW.sent + NEW.failed + NEW.requeued < OLD.sent + OLD.failed + OLD.requeued THEN
    PERFORM chaos_note(format('shard %s: outcomes were lost', NEW.id));
  ELSIF (NEW.begun, NEW.sent, NEW.failed, NEW.requeued) <> (OLD.begun, OLD.sent, OLD.failed, OLD.requeued)
    AND EXISTS (
      SELECT 1 FROM chaos_claim c JOIN pg_stat_activity a ON a.pid = c.backend AND a.backend_start = c.started
      WHERE c.shard = NEW.id AND c.fence = NEW.fence AND c.backend <> pg_backend_pid()) THEN
    PERFORM chaos_note(format('shard %s: a backend wrote that does not hold fence %s', NEW.id, NEW.fence));
  END IF;
  RETURN NULL;
END $$;
CREATE TRIGGER chaos_watch AFTER UPDATE ON campaigns_shard FOR EACH ROW EXECUTE FUNCTION chaos_shard();
"""
