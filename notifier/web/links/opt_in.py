"""/opt-in/<token>: the page behind the link of a confirmation mail. GET shows a button and changes nothing, because
virus scanners open every link of a mail; POST confirms, without a login and without a form token."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from notifier.api.framework.origin import origin_of
from notifier.delivery.content.links.opt_in_link import OptInLink, read_token
from notifier.delivery.content.links.preferences_link import new_link, url_of
from notifier.delivery.opt_in.confirmation import confirm, is_over
from notifier.vocabulary.status import ConsentSource
from tenants.access import scope
from tenants.models import Category, OptInProof, Preference, Recipient, Tenant

_EN = {
    "title": "Messages about {category}",
    "ask": "Do you want to get messages about “{category}” from {sender}?",
    "confirm": "Yes, I want them",
    "done": "Thank you. You will get messages about “{category}” from {sender}.",
    "all_off": "You unsubscribed from everything. That still holds until you change it:",
    "preferences": "your preferences",
    "ended": "This link has ended. Please ask {sender} for a new one.",
}
_DE = {
    "title": "Nachrichten zu {category}",
    "ask": "Möchten Sie Nachrichten zu „{category}“ von {sender} erhalten?",
    "confirm": "Ja, das möchte ich",
    "done": "Danke. Sie erhalten Nachrichten zu „{category}“ von {sender}.",
    "all_off": "Sie haben alles abbestellt. Das gilt weiter, bis Sie es ändern:",
    "preferences": "Ihre Einstellungen",
    "ended": "Dieser Link ist abgelaufen. Bitte fragen Sie {sender} nach einem neuen.",
}
_ES = {
    "title": "Mensajes sobre {category}",
    "ask": "¿Quiere recibir mensajes sobre «{category}» de {sender}?",
    "confirm": "Sí, los quiero",
    "done": "Gracias. Recibirá mensajes sobre «{category}» de {sender}.",
    "all_off": "Canceló la suscripción a todo. Eso sigue vigente hasta que lo cambie:",
    "preferences": "sus preferencias",
    "ended": "Este enlace ha caducado. Pida uno nuevo a {sender}.",
}
_TEXTS: Mapping[str, Mapping[str, str]] = {"en": _EN, "de": _DE, "es": _ES}


@method_decorator([csrf_exempt, never_cache, transaction.non_atomic_requests], name="dispatch")
class ConfirmOptIn(View):
    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """A page with a button; changes nothing."""
        link = _read(token)
        with scope(link.tenant_id):
            return _page(request, _proof(link))

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Confirms. A repeat gets the same answer and changes nothing."""
        link = _read(token)
        with scope(link.tenant_id, source=ConsentSource.PERSON):
            _proof(link)
            proof = confirm(link.tenant_id, link.proof_id, origin_of(request, "page"), datetime.now(UTC))
            if proof is None:
                raise Http404
            return _page(request, proof)


def _read(token: str) -> OptInLink:
    link = read_token(token)
    if link is None:
        raise Http404
    return link


def _proof(link: OptInLink) -> OptInProof:
    proofs = OptInProof.objects.filter(pk=link.proof_id, tenant_id=link.tenant_id)
    proof = proofs.exclude(recipient__status=Recipient.State.ERASED).first()
    if proof is None:
        raise Http404
    return proof


def _page(request: HttpRequest, proof: OptInProof) -> HttpResponse:
    tenant = Tenant.objects.get(pk=proof.tenant_id)
    category = Category.objects.filter(tenant=tenant, key=proof.category).first()
    names = {"sender": tenant.name, "category": category.name if category else proof.category}
    language = proof.language.partition("-")[0].lower()
    texts = _TEXTS.get(language, _EN)
    over = is_over(proof, datetime.now(UTC))
    all_off = Preference.objects.filter(recipient_id=proof.recipient_id, everything_off=True).exists()
    context = {
        "all_off": all_off,
        "preferences_url": url_of(new_link(tenant.pk, proof.recipient_id)) if all_off else "",
        "tenant": tenant,
        "language": language if language in _TEXTS else "en",
        "t": {name: text.format(**names) for name, text in texts.items()},
        "done": proof.confirmed_at is not None,
        "over": over,
    }
    return render(request, "opt_in.html", context, status=410 if over else 200)
