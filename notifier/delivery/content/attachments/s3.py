"""Attachments in a bucket of S3, or of a service that speaks as S3 does. Only the setting ATTACHMENTS_BUCKET loads this
module: boto3 takes 30 MB of memory."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage


class AttachmentBucket(S3Storage):  # type: ignore[misc]
    """A bucket. The content decides a file's name, so that the same file may be written again."""

    def __init__(self, **settings: Any) -> None:
        own = {"client_config": _client_config(settings.get("endpoint_url")), "file_overwrite": True}
        super().__init__(**own, **settings)


def _client_config(endpoint: str | None) -> Config:
    """Waits for seconds: botocore's own default is a minute, five times."""
    return Config(
        connect_timeout=3,
        read_timeout=10,
        retries={"max_attempts": 2, "mode": "standard"},
        signature_version="s3v4",
        # services other than Amazon's know neither the checksums that boto3 adds since 1.36 nor buckets as host names
        request_checksum_calculation="when_required",
        response_checksum_validation="when_required",
        s3={"addressing_style": "path"} if endpoint else None,
    )
