"""Attachments in a bucket of S3, or of a service that speaks as S3 does. Only the setting ATTACHMENTS_BUCKET loads this
module: boto3 takes 30 MB of memory."""

from __future__ import annotations

from typing import Any

from botocore.config import Config
from storages.backends.s3 import S3Storage


class AttachmentBucket(S3Storage):  # type: ignore[misc]
    """A bucket that must answer within seconds: botocore waits for a minute, five times."""

    def get_default_settings(self) -> dict[str, Any]:
        retries = {"max_attempts": 2, "mode": "standard"}
        waits = Config(connect_timeout=3, read_timeout=10, retries=retries, signature_version="s3v4")
        # the content decides the name, so that the same file may be written again
        return {**super().get_default_settings(), "client_config": waits, "file_overwrite": True, "default_acl": None}
