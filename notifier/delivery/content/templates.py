"""Publish, parse and render template versions. Locale falls back `de-AT -> de -> tenant default`."""

from __future__ import annotations

import uuid
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from django.db import transaction
from django.db.models import JSONField
from django.db.models.functions import Coalesce

from notifier.channels import channel
from notifier.delivery.content import rules
from notifier.delivery.content.attachments import storage as attachments
from notifier.delivery.content.attachments.listing import Decoded, dump, read_list
from notifier.delivery.content.links.required import no_link, parts_without_link
from notifier.delivery.content.liquid.text import MAX_TEXT, LiquidText
from notifier.delivery.content.partly_rendered import Locale, PartlyRendered, finish_part, is_worth_dividing
from notifier.delivery.content.publishing.layouts import layout_of
from notifier.delivery.content.publishing.publication import published_content
from notifier.delivery.content.whole_messages import WholeMessages
from notifier.errors import InvalidInput, NotifierError
from notifier.models import Layout, Template, TemplateVersion
from notifier.values import locales
from notifier.vocabulary.content import BROWSER_URL, TenantRules
from notifier.vocabulary.mail import NewFile
from notifier.vocabulary.status import Kind
from tenants.models import Category, Tenant, User

#: {channel: {locale: {part: source, {key: source} for a part such as `data`, or a list of files}}}
Content = Mapping[str, Mapping[str, Mapping[str, Any]]]
Parts = dict[str, Any]
#: locales of a version whose checked content is kept
_MOST_CONTENTS = 100


class Compiled:
    """One parsed version. Immutable; threads share it."""

    def __init__(self, content: Content) -> None:
        self._texts: dict[str, dict[str, dict[str, LiquidText | dict[str, LiquidText]]]] = {
            name: {locale: parse_parts(name, locale, parts) for locale, parts in by_locale.items()}
            for name, by_locale in content.items()
        }
        #: lists of files, as JSON: a message's content and a shard's payload hold texts
        self._files: dict[tuple[str, str], dict[str, str]] = {
            (name, locale): files
            for name, by_locale in content.items()
            for locale, parts in by_locale.items()
            if (files := {p: dump(parts[p]) for p in channel(name).file_parts.intersection(parts) if parts[p]})
        }
        # looked up once: a look-up of a channel costs 0.1 µs, and most versions have neither
        kinds = {name: channel(name) for name in content}
        #: the channels that are billed by segments
        self.segmented = frozenset(name for name, kind in kinds.items() if kind.segmented)
        self._finished = {name: kind.finished for name, kind in kinds.items() if kind.finished}
        #: channel -> the links (LINKS) that its texts can hold, of channels that have any
        self.links: Mapping[str, frozenset[str]] = {name: links for name in content if (links := self._links_of(name))}
        #: (channel, part) -> where a part stands that needs a link to opt out if the message is marketing
        self.without_opt_out = tuple(self._parts_without_opt_out())
        self._whole_messages: dict[Any, WholeMessages] = {}

    @property
    def channels(self) -> tuple[str, ...]:
        return tuple(self._texts)

    @property
    def variables(self) -> list[str]:
        """The variables' paths that any channel or locale reads."""
        return sorted({path for text in self._all() for path in text.paths})

    def locale_for(self, name: str, locale: str, default: str) -> Locale:
        """The content of channel `name` for a recipient whose locale is `locale`."""
        by_locale = self._texts[name]
        for candidate in (*fallbacks(locale), *fallbacks(default)):
            if candidate in by_locale:
                return Locale(name, candidate)
        return Locale(name, next(iter(by_locale)))

    def render(self, content: Locale, variables: dict[str, Any], tenant_rules: TenantRules) -> Parts:
        """The parts of one channel. Raises MissingVariables, TemplateFailed, or InvalidInput for parts that the
        rules of the channel or the tenant refuse."""
        parts: Parts = {
            part: text.render(variables)
            if isinstance(text, LiquidText)
            else {k: v.render(variables) for k, v in text.items()}
            for part, text in self._texts[content.channel][content.name].items()
        }
        if self._files:
            parts |= self._files.get((content.channel, content.name), {})
        if content.channel in self._finished:
            for part in self._finished[content.channel].intersection(parts):
                parts[part] = finish_part(content.channel, part, parts[part], tenant_rules)
        rules.check(content.channel, parts, tenant_rules, content.field, whole=True)
        return parts

    def whole_messages(self, content: Locale, tenant_rules: TenantRules) -> WholeMessages:
        """The content for single messages; made once for each locale and each tenant's rules."""
        key = (content, tuple(tenant_rules.schemes), *tenant_rules[1:])
        whole = self._whole_messages.get(key)
        if whole is None:
            files = self._files.get((content.channel, content.name), {})
            whole = WholeMessages(content, _flat(self._texts[content.channel][content.name]), files, tenant_rules)
            if len(self._whole_messages) >= _MOST_CONTENTS:
                self._whole_messages.clear()
            self._whole_messages[key] = whole
        return whole

    def reads(self, name: str) -> bool:
        """Whether any text can depend on the variable `name`."""
        return any(text.reads(name) for text in self._all())

    def render_partly(self, content: Locale, common: dict[str, Any], tenant_rules: TenantRules) -> PartlyRendered:
        """The parts for many recipients: renders the parts that need only `common`, the variables that all recipients
        share."""
        parts: dict[str, Any] = dict(self._files.get((content.channel, content.name), {}))
        personal: list[tuple[str, LiquidText]] = []
        free_characters, broken = -1, None
        try:
            for part, text in _flat(self._texts[content.channel][content.name]):
                parts[part] = None
                if text.personal:
                    personal.append((part, text))
                else:
                    parts[part] = finish_part(content.channel, part, text.render(common), tenant_rules)
            rendered = {part: text for part, text in parts.items() if text is not None}
            nested = rules.nest_parts(rendered)
            rules.check(content.channel, nested, tenant_rules, content.field, whole=not personal)
            always = {part: "".join(text.constants(common)) for part, text in personal}
            free_characters = rules.free_characters(content.channel, rendered, [part for part, _ in personal], always)
        except NotifierError as error:
            broken = error
        kind = channel(content.channel)
        finishes = not kind.finished.isdisjoint(part for part, _ in personal)
        constants = {part: text.constants(common) for part, text in personal if part in kind.divisible}
        constants = {part: texts for part, texts in constants.items() if is_worth_dividing(texts)}
        return PartlyRendered(
            content, tenant_rules, parts, tuple(personal), broken, free_characters, finishes, constants
        )

    def check_opt_out(self, channels: Collection[str], template: str, field: str) -> None:
        """Raise InvalidInput, with this field, for marketing on these channels without a link to opt out. 0.1 µs."""
        if self.without_opt_out and any(content.channel in channels for content, _ in self.without_opt_out):
            raise no_link(field, template=template)

    def _links_of(self, name: str) -> frozenset[str]:
        texts = (text for parts in self._texts[name].values() for _, text in _flat(parts))
        return frozenset(link for text in texts for link in text.links)

    def _parts_without_opt_out(self) -> Iterator[tuple[Locale, str]]:
        for name, by_locale in self._texts.items():
            for locale, parts in by_locale.items():
                links = {part: text.links for part, text in _flat(parts)}
                yield from ((Locale(name, locale), part) for part in parts_without_link(name, links))

    def check_constants(self, tenant_rules: TenantRules) -> None:
        """Raise InvalidInput, naming the field, for constant parts that no recipient may get."""
        for name, by_locale in self._texts.items():
            for locale, parts in by_locale.items():
                content = Locale(name, locale)
                # of a text that is billed by segments, what every rendering contains is checked, too
                segmented = channel(name).segmented
                constant = {
                    part: finish_part(name, part, "".join(text.constants({})), tenant_rules)
                    for part, text in _flat(parts)
                    if text.constant or segmented
                }
                # the names of data are constant even where their texts are not
                keys = {part: "" for part, text in _flat(parts) if "." in part}
                rules.check(name, rules.nest_parts(keys | constant), tenant_rules, content.field)

    def _all(self) -> Iterator[LiquidText]:
        for by_locale in self._texts.values():
            for parts in by_locale.values():
                yield from (text for _, text in _flat(parts))


def _flat(parts: Mapping[str, LiquidText | dict[str, LiquidText]]) -> Iterator[tuple[str, LiquidText]]:
    for part, text in parts.items():
        if isinstance(text, LiquidText):
            yield part, text
        else:
            yield from ((f"{part}.{key}", value) for key, value in text.items())


def fallbacks(locale: str) -> list[str]:
    """`de-AT` -> [`de-AT`, `de`]."""
    pieces = locale.replace("_", "-").split("-") if locale else []
    return ["-".join(pieces[:n]) for n in range(len(pieces), 0, -1)]


def parse_parts(name: str, locale: str, parts: Mapping[str, Any]) -> dict[str, LiquidText | dict[str, LiquidText]]:
    """The parsed texts of one channel and locale. Raises InvalidInput, naming the field."""
    parsed: dict[str, LiquidText | dict[str, LiquidText]] = {}
    for part, source in parts.items():
        field = f"content.{name}.{locale}.{part}"
        if part in channel(name).file_parts:
            continue
        if part in channel(name).object_parts:
            if not isinstance(source, Mapping):
                raise InvalidInput(f"{part} must be an object of texts.", field=field)
            parsed[part] = {key: _text(value, f"{field}.{key}", f"{part}.{key}") for key, value in source.items()}
        else:
            parsed[part] = _text(source, field, part, escapes=part in channel(name).html_parts)
    return parsed


def _text(source: Any, field: str, part: str, *, escapes: bool = False) -> LiquidText:
    if not isinstance(source, str) or len(source) > MAX_TEXT:
        raise InvalidInput(f"Must be a text of at most {MAX_TEXT} characters.", field=field)
    try:
        return LiquidText(source, part, escapes=escapes)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=field, at=error.at) from error


@lru_cache(maxsize=1000)
def compiled(version_id: uuid.UUID) -> Compiled:
    """A version, parsed once per process; versions never change."""
    content = Coalesce("published", "content", output_field=JSONField())
    return Compiled(TemplateVersion.objects.values_list(content, flat=True).get(pk=version_id))


@dataclass(frozen=True)
class Publication:
    """A version before it is stored. `published`: what messages are rendered from. `files`: attachments that came with
    the content and are not stored yet."""

    content: Content
    published: Content
    compiled: Compiled
    files: tuple[NewFile, ...] = ()

    def is_in(self, version: TemplateVersion | None) -> bool:
        """Whether the version has this content, and sends the same."""
        if version is None or version.content != self.content:
            return False
        return bool((version.published or version.content) == self.published)


def prepare(
    content: Any, tenant: Tenant, layout: Layout | None = None, *, category: Category | None = None
) -> Publication:
    """What publishing would store in a template of this category. Raises InvalidInput, naming the field, unless the
    tenant can publish `content`."""
    content = normalised(content)
    _check_structure(content, tenant)
    content, files = _with_listed_files(content, tenant.pk)
    Compiled(content)  # names a fault of the Liquid before HTML libraries see it
    published = published_content(content, tenant.pk, layout)
    compiled = Compiled(published)
    compiled.check_constants(tenant.content_rules)
    _check_links(compiled, category)
    return Publication(content, published, compiled, files)


def _check_links(compiled: Compiled, category: Category | None) -> None:
    if category is not None and category.kind == Kind.MARKETING and compiled.without_opt_out:
        missing, part = compiled.without_opt_out[0]
        raise no_link(f"{missing.field}.{part}", part=part)
    emails = any(channel(name).carries_unsubscribe_url for name in compiled.channels)
    if not emails and any(BROWSER_URL in links for links in compiled.links.values()):
        raise InvalidInput(
            f"{BROWSER_URL} shows the email of the message, and this template has no content for email.",
            field="content",
        )


def _with_listed_files(content: Content, tenant_id: uuid.UUID) -> tuple[Content, tuple[NewFile, ...]]:
    """The content with the list of each file part as it is kept, and the files that are to be stored."""
    files: dict[str, NewFile] = {}
    decoded: Decoded = {}
    changed: dict[str, dict[str, dict[str, Any]]] = {}
    for name, by_locale in content.items():
        for locale, parts in by_locale.items():
            own = changed.setdefault(name, {})[locale] = dict(parts)
            for part in channel(name).file_parts.intersection(parts):
                listing = read_list(parts[part], tenant_id, f"content.{name}.{locale}.{part}", decoded)
                own[part] = listing.entries
                files.update({file.digest: file for file in listing.files})
    return changed, tuple(files.values())


def _check_structure(content: Any, tenant: Tenant) -> None:
    if not isinstance(content, Mapping) or not content:
        raise InvalidInput("Must be {channel: {locale: {part: text}}}.", field="content")
    for name, by_locale in content.items():
        kind = channel(name)
        if not isinstance(by_locale, Mapping) or not by_locale:
            raise InvalidInput("Must be {locale: {part: text}}.", field=f"content.{name}")
        if not any(locale in by_locale for locale in fallbacks(tenant.default_locale)):
            missing = f"The tenant's default locale {tenant.default_locale!r} is missing."
            raise InvalidInput(missing, field=f"content.{name}")
        for locale, parts in by_locale.items():
            _check_parts(kind.check_parts, f"content.{name}.{locale}", parts)


def normalised(content: Any) -> Any:
    """`content` with its locales in canonical case, as it is stored. Raises InvalidInput, naming the field, for a
    malformed locale and for a locale that occurs twice; `check` finds all other faults."""
    if not isinstance(content, Mapping):
        return content
    return {name: _normalised(name, by_locale) for name, by_locale in content.items()}


def _normalised(name: str, by_locale: Any) -> Any:
    if not isinstance(by_locale, Mapping):
        return by_locale
    by_tag: dict[str, Any] = {}
    for locale, parts in by_locale.items():
        tag = locales.canonical(locale, f"content.{name}.{locale[:40]}")
        if tag in by_tag:
            raise InvalidInput(
                f"There is content for {tag} already, written otherwise; keep one.", field=f"content.{name}.{locale}"
            )
        by_tag[tag] = parts
    return by_tag


def _check_parts(check_parts: Any, field: str, parts: Any) -> None:
    if not isinstance(parts, Mapping):
        raise InvalidInput("Must be {part: text}.", field=field)
    try:
        check_parts(parts)
    except InvalidInput as error:
        raise InvalidInput(error.message, field=f"{field}.{error.field}") from error


def changed_in(content: Content, latest: TemplateVersion | None, number: int) -> dict[str, dict[str, int]]:
    """For each channel and locale of version `number` the version in which its content changed last."""
    if latest is None:
        return {name: dict.fromkeys(by_locale, number) for name, by_locale in content.items()}
    return {
        name: {
            locale: latest.changed_in.get(name, {}).get(locale, latest.number)
            if latest.content.get(name, {}).get(locale) == parts
            else number
            for locale, parts in by_locale.items()
        }
        for name, by_locale in content.items()
    }


def mark_current(version: TemplateVersion, locales_of: Collection[tuple[str, str]]) -> None:
    """Say that the content of these channels and locales was looked at, and needs no change after the default's."""
    changed = {name: dict(by_locale) for name, by_locale in version.changed_in.items()}
    for name, locale in locales_of:
        if locale in changed.get(name, {}):
            changed[name][locale] = version.number
    if changed != version.changed_in:
        version.changed_in = changed
        version.save(update_fields=["changed_in"])


def publish(template: Template, content: Any, user: User | None = None) -> TemplateVersion:
    """Store the next version of a template, with the template's layout. Raises InvalidInput, naming the field, and
    stores nothing then."""
    return store(template, prepare(content, template.tenant, layout_of(template), category=template.category), user)


def store(template: Template, publication: Publication, user: User | None = None, *, note: str = "") -> TemplateVersion:
    """Store the next version of a template. `note`: why it was published, by the person who published it."""
    same = publication.published == publication.content
    attachments.store(template.tenant_id, publication.files)
    with transaction.atomic():
        # the row lock keeps two editors from taking the same number
        Template.objects.select_for_update().get(pk=template.pk)
        latest = template.versions.order_by("-number").first()
        number = latest.number + 1 if latest else 1
        return TemplateVersion.objects.create(
            tenant_id=template.tenant_id,
            template=template,
            number=number,
            changed_in=changed_in(publication.content, latest, number),
            note=note,
            content=publication.content,
            published=None if same else publication.published,
            variables=publication.compiled.variables,
            created_by=user,
        )
