"""An email as bytes (RFC 5322, 2045, 2047). `compose` is the only code that knows what an email looks like: the
provider `smtp` calls it for a single message, and for the body template of a shard, whose texts are placeholders.

compose (headers and parts) -> attachments (files, images); quoted_printable (texts, and the values that replace
placeholders); dkim signs the finished bytes.
"""

from notifier.providers.mime.compose import (
    as_html,
    compose,
    encode_headers,
    header_text,
    message_id,
    with_ascii_domain,
    with_preheader,
)
from notifier.providers.mime.quoted_printable import encode_values

__all__ = [
    "as_html",
    "compose",
    "encode_headers",
    "encode_values",
    "header_text",
    "message_id",
    "with_ascii_domain",
    "with_preheader",
]
