"""Settings, the site's own address, and the folder of uploads."""

from __future__ import annotations

import os
import shutil
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from django.conf import settings
from django.core.checks import ERROR, Tags, run_checks

from notifier.doctor.findings import Finding, error, warning
from notifier.doctor.registry import Options, Server, register
from tenants.models import Import

SETTING = error("settings", "Web, workers and beat refuse to start with it.", "the hint above; see operations")
SETTING_WEAK = warning("settings-weak", "It is less safe than it could be.", "the hint above; see operations, Settings")
DEBUG_ON = error("debug", "Errors show code and settings to everybody.", "set DEBUG=0")
SITE_AWAY = error("site", "Links in messages lead nowhere.", "start web and its proxy; check SITE_URL")
UPLOADS = error("uploads", "Imports and attachments fail.", "make UPLOADS_DIR writable for the user of the processes")
UPLOADS_SHARED = error(
    "uploads-shared", "The imports fail.", "give web and workers the same folder (UPLOADS_DIR); see operations"
)
UPLOADS_DISK = warning("uploads-disk", "Imports and attachments fail when it is full.", "add room to UPLOADS_DIR")
SITE_SECONDS = 5.0


def settings_of_django(options: Options) -> Iterator[Finding]:
    """The checks of `manage.py check`, and in production those of `--deploy`."""
    messages = run_checks(tags=[Tags.security], include_deployment_checks=not settings.DEBUG)
    for message in messages:
        kind = SETTING if message.level >= ERROR else SETTING_WEAK
        text = " ".join(str(message.msg).split())
        yield kind.says(f"{message.id}: {text} {message.hint or ''}".strip())
    if settings.DEBUG and not is_local(settings.SITE_URL):
        yield DEBUG_ON.says(f"DEBUG is on, and people reach the site at {settings.SITE_URL}.")


def is_local(url: str) -> bool:
    return (urlsplit(url).hostname or "") in ("127.0.0.1", "localhost", "::1")


def address(options: Options) -> Iterator[Finding]:
    if not settings.SITE_URL.startswith(("http://", "https://")):
        yield SITE_AWAY.says(f"SITE_URL ({settings.SITE_URL}) is no http address.")
        return
    try:
        with urllib.request.urlopen(f"{settings.SITE_URL}/healthz", timeout=SITE_SECONDS) as answer:  # noqa: S310
            status = answer.status
    except urllib.error.HTTPError as problem:
        status = problem.code
    except OSError as problem:
        reason = getattr(problem, "reason", problem)
        yield SITE_AWAY.says(f"{settings.SITE_URL} cannot be reached ({type(reason).__name__}).")
        return
    if status != 200:
        yield SITE_AWAY.says(f"{settings.SITE_URL}/healthz answers {status}.")


def uploads(options: Options) -> Iterator[Finding]:
    folder = Path(settings.MEDIA_ROOT)
    # the folder is made by the first upload
    place = next(each for each in (folder, *folder.parents) if each.exists())
    if not place.is_dir() or not os.access(place, os.W_OK | os.X_OK):
        yield UPLOADS.says(f"This process may not write into {place}.")
        return
    usage = shutil.disk_usage(place)
    if usage.free < 0.1 * usage.total:
        yield UPLOADS_DISK.says(f"The disk of {place} has {usage.free / usage.total:.0%} free.")


def shared_uploads(options: Options) -> Iterator[Finding]:
    waiting = Import.objects.filter(state=Import.State.WAITING).exclude(stored="").order_by("pk")
    for stored in waiting.values_list("stored", flat=True)[:20]:
        if not Path(settings.MEDIA_ROOT, stored).exists():
            yield UPLOADS_SHARED.says(f"An import waits, and its file is not in {settings.MEDIA_ROOT}.")
            return


def register_checks() -> None:
    register("settings", settings_of_django)
    register("address of the site", address)
    register("uploads", uploads)
    register("files of imports", shared_uploads, Server.DATABASE)
