"""The DNS records that mail services ask of a sender's domain: SPF (RFC 7208), DKIM (RFC 6376) and DMARC (RFC 7489).
Gmail and Yahoo refuse bulk mail of a domain without them (https://support.google.com/a/answer/81126)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING

from django.conf import settings

from notifier.vocabulary.checks import ConnectionCheck, SenderDomain

if TYPE_CHECKING:
    from dns.nameserver import Nameserver

#: seconds for one question
TIMEOUT = 4.0
#: domains above a sender's domain that are asked for DMARC, the nearest to the top; mail servers ask no more than 7
MOST_PARENTS = 7
#: the TXT records of a name; empty when the name has none. Raises LookupError when DNS gives no answer
Lookup = Callable[[str], Sequence[str]]

_ALL = re.compile(r"(?:^| )([+?~-]?)all(?: |$)")


def check_sender(sender: SenderDomain, lookup: Lookup | None = None) -> Iterator[ConnectionCheck]:
    """One check for each kind of record. `lookup` asks DNS when it is not given."""
    ask = lookup or txt_records
    for name, check in (("SPF", _check_spf), ("DKIM", _check_dkim), ("DMARC", _check_dmarc)):
        try:
            passed, text = check(sender, ask)
        except LookupError as error:
            passed, text = None, f"DNS gave no answer about {sender.domain}: {error}. Try again later."
        yield ConnectionCheck(name, passed, text)


def _check_spf(sender: SenderDomain, ask: Lookup) -> tuple[bool | None, str]:
    domain = sender.domain
    records = [record for record in ask(domain) if re.match(r"v=spf1( |$)", record, re.IGNORECASE)]
    if not records:
        return False, (
            f"{domain} has no SPF record. Add a TXT record that names your mail server, such as"
            ' "v=spf1 include:your-mail-service.example ~all".'
        )
    if len(records) > 1:
        return False, f"{domain} has {len(records)} SPF records, and mail servers ignore them all. Keep one."
    qualifier = _ALL.search(records[0].lower())
    if qualifier and qualifier[1] in ("", "+"):
        return False, f'The SPF record of {domain} allows every server ("+all"). End it with "~all" or "-all".'
    return True, f"{domain} has an SPF record: {_shortened(records[0])}. See that it names the mail server."


def _check_dkim(sender: SenderDomain, ask: Lookup) -> tuple[bool | None, str]:
    if not sender.dkim_selector:
        return None, (
            f"Notifier does not sign for {sender.domain}. Most mail services sign by themselves: look there whether"
            " DKIM is set up for this domain."
        )
    name = f"{sender.dkim_selector}._domainkey.{sender.domain}"
    records = [_tags(record) for record in ask(name)]
    keys = [tags.get("p", "") for tags in records if "p" in tags]
    record = f'"v=DKIM1; k={_kind_of(sender.dkim_public_key)}; p={sender.dkim_public_key}"'
    if not keys:
        return False, f"{name} has no DKIM key. Add a TXT record there: {record}."
    if sender.dkim_public_key not in keys:
        return False, f"The DKIM key at {name} is not that of the private key of this account. It should be: {record}."
    return True, f"{name} has the key that this account signs with."


def _check_dmarc(sender: SenderDomain, ask: Lookup) -> tuple[bool | None, str]:
    for domain in _with_parents(sender.domain):
        policies = [tags for record in ask(f"_dmarc.{domain}") if (tags := _tags(record)).get("v") == "DMARC1"]
        if len(policies) == 1:
            policy = policies[0].get("p", "none")
            return True, f"{domain} has a DMARC record with the policy {_shortened(policy)}."
        if policies:
            return (
                False,
                f"_dmarc.{domain} has {len(policies)} DMARC records, and mail servers ignore them all. Keep one.",
            )
    return False, (
        f'{sender.domain} has no DMARC record. Add a TXT record at _dmarc.{sender.domain}: "v=DMARC1; p=none;'
        f' rua=mailto:postmaster@{sender.domain}".'
    )


def _with_parents(domain: str) -> Iterator[str]:
    """The domain, and the domains above it that are not a top-level domain."""
    labels = domain.split(".")
    yield domain
    # a DNS server that takes its time for each question would keep the worker
    for start in range(max(1, len(labels) - MOST_PARENTS - 1), len(labels) - 1):
        yield ".".join(labels[start:])


def _tags(record: str) -> dict[str, str]:
    """`v=DKIM1; k=rsa; p=…` as a dict; blanks inside of a value are dropped (RFC 6376 §3.2)."""
    pairs = (part.partition("=") for part in record.split(";"))
    return {name.strip(): re.sub(r"\s+", "", value) for name, equals, value in pairs if equals}


def _kind_of(public_key: str) -> str:
    return "ed25519" if len(public_key) < 60 else "rsa"  # an Ed25519 key has 44 characters


def _shortened(text: str) -> str:
    return text if len(text) <= 120 else f"{text[:119]}…"


def txt_records(name: str) -> list[str]:
    """The TXT records of a name from DNS, at the servers of DNS_SERVERS or the system's. Raises LookupError."""
    import dns.exception  # 9 MB, and only "test connection" needs it
    import dns.resolver

    resolver = dns.resolver.Resolver(configure=not settings.DNS_SERVERS)
    if settings.DNS_SERVERS:
        resolver.nameservers = [_nameserver(server) for server in settings.DNS_SERVERS]
    try:
        answer = resolver.resolve(name, "TXT", lifetime=TIMEOUT)
    except (dns.resolver.NXDOMAIN, dns.resolver.NoAnswer):
        return []
    except (dns.exception.DNSException, OSError) as error:
        raise LookupError(type(error).__name__) from error
    return [b"".join(record.strings).decode(errors="replace") for record in answer]


def _nameserver(server: str) -> Nameserver:
    """`192.0.2.1`, `192.0.2.1:5353`, `2001:db8::1` or `[2001:db8::1]:5353` as dnspython wants it."""
    from dns.nameserver import Do53Nameserver

    bracketed = re.fullmatch(r"\[(.+)\](?::([0-9]{1,5}))?", server) or re.fullmatch(
        r"([^:]+)(?::([0-9]{1,5}))?", server
    )
    host, port = (bracketed[1], bracketed[2]) if bracketed else (server, None)
    return Do53Nameserver(host, int(port or 53))
