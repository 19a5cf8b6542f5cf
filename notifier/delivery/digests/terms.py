"""Whether and how a request is gathered: as its own `digest` says, else as its category's setting says."""

from __future__ import annotations

from notifier.delivery.accept_context import AcceptContext
from notifier.delivery.digests.templates import check_variables, digest_channels
from notifier.delivery.draft import Draft
from notifier.errors import InvalidInput
from notifier.vocabulary.digests import DEFAULT_ITEMS, DigestRequest, DigestTerms, Times, read_times


def terms_of(context: AcceptContext, draft: Draft) -> DigestTerms | None:
    """How the draft's messages are gathered; None: each leaves by itself. Raises InvalidInput, naming the field, for a
    `digest` of the request that says too little."""
    request = draft.request
    setting = context.digests.get(draft.rule.category)
    if request.of_digest is not None:
        return None
    if request.digest is not None:
        return _requested(request.digest, setting)
    return None if setting is None or setting.only_over_cap or _leaves_by_itself(draft) else setting


def over_cap_terms(context: AcceptContext, draft: Draft) -> DigestTerms | None:
    """How the draft's messages over a frequency cap are gathered; None: no digest takes them."""
    request = draft.request
    if request.of_digest is not None or _leaves_by_itself(draft):
        return None
    return context.digests.get(draft.rule.category)


def _leaves_by_itself(draft: Draft) -> bool:
    """A message with a time of its own keeps the time, a message with files the files, and a route its steps."""
    request = draft.request
    has_own_time = request.send_at is not None or request.send_at_local is not None
    return has_own_time or bool(request.attachments) or bool(draft.route)


def _requested(digest: DigestRequest, setting: DigestTerms | None) -> DigestTerms:
    template = digest.template or (setting.template if setting else "")
    if not template:
        raise InvalidInput(
            "Name the template of the digest; the category has no digest.", field="digest.template", code="required"
        )
    channels = setting.channels if setting and setting.template == template else ()
    if setting and not (digest.window or digest.max_window or digest.schedule):
        times = setting.window, setting.max_window, setting.schedule
    else:
        times = _times(digest)
    return DigestTerms(
        template, *times, digest.max_items or (setting.max_items if setting else DEFAULT_ITEMS), channels
    )


def _times(digest: DigestRequest) -> Times:
    try:
        return read_times(digest.window, digest.max_window, digest.schedule)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=f"digest.{error.field}", code=error.code) from error


def check(context: AcceptContext, draft: Draft) -> None:
    """Raise InvalidInput, naming the field, for a `digest` of the request that cannot be done."""
    request = draft.request
    if request.digest is None:
        return
    for name in ("send_at", "send_at_local", "attachments"):
        if getattr(request, name):
            raise InvalidInput(f"Not beside {name}: a digest has its own time and no files.", field="digest")
    if draft.route:
        raise InvalidInput("Not with a route: each step of a route leaves by itself.", field="digest")
    terms = terms_of(context, draft)
    assert terms is not None  # the request has a digest
    if terms.template not in context.versions:
        raise InvalidInput(
            f"There is no template {terms.template!r}.", field="digest.template", code="unknown_template"
        )
    version_id = context.versions[terms.template].id
    check_variables(version_id, "digest.template")
    channels = digest_channels(version_id, terms.channels)
    if not any(row.channel in channels for row in draft.rows):
        raise InvalidInput(
            f"The digest goes to {', '.join(channels)}, and the message to none of them.",
            field="digest.template",
            code="no_common_channel",
        )
