"""Options of a run, from the environment: BENCH_N, BENCH_SHORT, BENCH_SINKS, BENCH_PARTS, BENCH_PEERS, BENCH_PROFILE,
BENCH_RESULTS, BENCH_KEEP."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

PARTS = (
    *("ceiling", "e2e", "peers", "unique", "latency", "api", "fairness"),
    *("apns", "webpush", "in_app", "sockets", "email"),
)
SINKS = ("nginx", "nghttpd", "caddy")
PEERS = (
    *("pyfcm", "pyfcm_async", "firebase_admin", "firebase_admin_async", "notifier_curl", "notifier_h2"),
    *("node_firebase_admin", "smtp-source", "django", "listmonk", "go", "centrifugo"),
)
RESULTS = Path(__file__).parent / "results"


@dataclass(frozen=True)
class Options:
    """`short` is the form for tests: every part runs, tiny; its times mean nothing."""

    sizes: tuple[int, ...] = (30_000, 100_000, 300_000, 1_000_000)
    parts: tuple[str, ...] = PARTS
    sinks: tuple[str, ...] = ()  #: empty: those that are installed
    peers: tuple[str, ...] = PEERS
    profile: bool = False  #: also CPU by process and thread, for each part
    short: bool = False
    results: Path = RESULTS
    keep: bool = False  #: keep the stack's folder with its logs and database

    @property
    def largest(self) -> int:
        return max(self.sizes)

    @property
    def ceiling_requests(self) -> int:
        return 5_000 if self.short else 400_000

    @property
    def peer_messages(self) -> int:
        return 100 if self.short else 3_000

    @property
    def latency_size(self) -> int:
        """Large enough that the campaign still runs when it is stopped."""
        return 10_000 if self.short else min(self.largest, 1_000_000)

    @property
    def unique_size(self) -> int:
        return min(self.largest, 100_000)

    @property
    def apns_size(self) -> int:
        return min(self.largest, 300_000)

    @property
    def webpush_size(self) -> int:
        """Each message is encrypted for its browser."""
        return min(self.largest, 20_000)

    @property
    def platform_turns(self) -> int:
        """Campaigns to each platform, by turns with those to FCM: a slow minute of the machine meets both."""
        return 1 if self.short else 2

    @property
    def mail_size(self) -> int:
        return min(self.largest, 100_000)

    @property
    def in_app_size(self) -> int:
        return min(self.largest, 100_000)

    @property
    def api_seconds(self) -> int:
        return 1 if self.short else 15

    @property
    def api_steps(self) -> tuple[int, ...]:
        """Single notifications a second, until a step queues."""
        return (50,) if self.short else (100, 200, 400, 600, 800, 1_000)

    @property
    def step_seconds(self) -> int:
        return 1 if self.short else 5

    @property
    def single_recipients(self) -> int:
        """Of the tenant that sends single notifications through APNs, and whose recipients open sockets."""
        return 100 if self.short else 10_000

    @property
    def sockets(self) -> int:
        """As many as bench/sockets.py opens."""
        return self.single_recipients

    @property
    def centrifugo_idle_seconds(self) -> int:
        return 1 if self.short else 30

    @property
    def bulk_recipients(self) -> int:
        return min(self.largest, 100_000)

    @property
    def fairness_seconds(self) -> int:
        return 1 if self.short else 15

    @property
    def fairness_size(self) -> int:
        """Recipients of the campaign beside which another tenant sends."""
        return min(self.largest, 1_000_000)


class BadOption(Exception):
    """An environment variable has an unknown or malformed value."""


def parse_options(environ: Mapping[str, str]) -> Options:
    """Raises BadOption."""
    short = environ.get("BENCH_SHORT", "") not in ("", "0")
    default = (2_000,) if short else Options.sizes
    return Options(
        sizes=_parse_sizes(environ.get("BENCH_N", "")) or default,
        parts=_choices("BENCH_PARTS", environ, PARTS) or PARTS,
        sinks=_choices("BENCH_SINKS", environ, SINKS),
        peers=_choices("BENCH_PEERS", environ, PEERS) or PEERS,
        short=short,
        profile=environ.get("BENCH_PROFILE", "") not in ("", "0"),
        results=Path(environ.get("BENCH_RESULTS") or RESULTS).resolve(),
        keep=environ.get("BENCH_KEEP", "") not in ("", "0"),
    )


def _parse_sizes(text: str) -> tuple[int, ...]:
    try:
        sizes = tuple(sorted({int(part) for part in text.split(",") if part.strip()}))
    except ValueError:
        raise BadOption(f"BENCH_N={text}: numbers of recipients, separated by commas") from None
    if any(size < 1 for size in sizes):
        raise BadOption(f"BENCH_N={text}: a campaign has at least one recipient")
    return sizes


def _choices(name: str, environ: Mapping[str, str], known: tuple[str, ...]) -> tuple[str, ...]:
    chosen = {part.strip() for part in environ.get(name, "").split(",") if part.strip()}
    if unknown := sorted(chosen - set(known)):
        raise BadOption(f"{name}: there is no {unknown[0]}; there are {', '.join(known)}")
    return tuple(part for part in known if part in chosen)
