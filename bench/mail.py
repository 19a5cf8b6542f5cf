"""The part `email`: a campaign of mails of 5 kB to smtp-sink, plain and over TLS, beside other clients."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, replace
from typing import Any

from bench import campaign
from bench.peers import mail as peers
from bench.record import campaign_entry, disagreements
from bench.sinks import Sink
from bench.sinks.base import SinkAddress
from bench.sinks.smtp import SmtpSink, Stunnel
from bench.site import BenchSite
from bench.tenants import BenchTenant
from notifier.local.console import Say
from notifier.local.servers.ports import free_port

PLAIN, TLS = "plain", "tls"
#: the provider's setting `security` for each
_SECURITY = {PLAIN: "none", TLS: "tls"}

_USE_SERVER = """
from notifier.delivery.accounts import registry
from notifier.models import ProviderAccount
from tenants.models import Tenant
config = dict(host="127.0.0.1", port={port}, security="{security}", from_address="news@bench.example")
for tenant in Tenant.objects.filter(pk__in={tenants}):
    Tenant.objects.filter(pk=tenant.pk).update(sandbox=False)
    account = ProviderAccount.objects.filter(tenant=tenant, name="bench").first()
    account = account or ProviderAccount(tenant=tenant, name="bench", provider="smtp")
    registry.save_config(account, config)
    account.save()
"""


@dataclass(frozen=True)
class MailTenants:
    """The tenant of the measured campaigns, and a small one whose campaign warms connections and code."""

    measured: BenchTenant
    warm: BenchTenant


class MailBench:
    """`run()` measures everything. `figures` and `problems` hold what was measured, also when a step failed."""

    def __init__(self, site: BenchSite, tenants: MailTenants, address: SinkAddress, say: Say) -> None:
        self.site, self.tenants, self.say = site, tenants, say
        self.sink = SmtpSink(replace(address, port=free_port()))
        self.front = Stunnel(replace(address, port=free_port()), self.sink)
        self.figures: dict[str, Any] = {"sinks": {}, "campaigns": {}, "peers": {}}
        self.problems: list[str] = []

    def run(self, peer_messages: int, chosen_peers: Collection[str]) -> None:
        if self.sink.program() is None:
            self.say("email", "not measured: smtp-sink is not installed (apt-get install postfix)")
            return
        self.figures["sinks"]["smtp-sink"] = self.sink.version()
        with self.sink:
            self._campaign(PLAIN, self.sink)
            database_url = self.site.settings["DATABASE_URL"]
            for peer, figure in peers.run(self.sink, peer_messages, database_url, chosen_peers).items():
                self.figures["peers"][peer] = figure
                self.say(peer, f"{figure['per_s'] or figure['reason']}")
            self._over_tls()

    def _over_tls(self) -> None:
        if self.front.program() is None:
            self.say("email", "TLS not measured: stunnel is not installed (apt-get install stunnel4)")
            return
        self.figures["sinks"]["stunnel"] = self.front.version()
        with self.front:
            self._campaign(TLS, self.front)

    def _campaign(self, kind: str, server: Sink) -> None:
        self._use_server(server, _SECURITY[kind])
        self._send(self.tenants.warm, f"warm {kind}")
        self.site.vacuum()
        done = self._send(self.tenants.measured, kind)
        self.figures["campaigns"][kind] = campaign_entry(done)
        self.problems += [f"email, {kind}: {problem}" for problem in disagreements(done)]
        self.say("email", f"{kind}: {done.per_s:,.0f}/s, {done.cpu_us:.0f} µs a message")

    def _send(self, tenant: BenchTenant, name: str) -> campaign.CampaignRun:
        armed = campaign.arm(self.site, tenant, name, campaign.EMAIL)
        return campaign.send(self.site, armed, self.sink.messages)

    def _use_server(self, server: Sink, security: str) -> None:
        """Make this mail server the only account of both tenants, and forget the connections to another one."""
        tenants = [self.tenants.measured.tenant_id, self.tenants.warm.tenant_id]
        script = _USE_SERVER.format(port=server.address.port, security=security, tenants=tenants)
        command = self.site.manage("shell", "-c", script)
        if command.returncode:
            raise campaign.StepFailed(f"the mail account was not made:\n{command.stdout}{command.stderr}")
        self.site.restart(campaign.EMAIL.worker)
