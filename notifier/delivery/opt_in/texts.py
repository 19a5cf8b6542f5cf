"""The confirmation mail, from which the tenant's template `opt-in-confirmation` is made. Liquid; `url`, `sender` (the
tenant's name) and `category` (the category's name) are its variables."""

from __future__ import annotations

from collections.abc import Mapping

_BUTTON = "padding:12px 24px;border-radius:6px;background:{{ color }};color:{{ text_color }};text-decoration:none"


def _mail(subject: str, lines: tuple[str, str, str], button: str) -> dict[str, str]:
    question, end, not_you = lines
    html = (
        "<p><b>{{ sender }}</b></p>"
        f"<p>{question}</p>"
        f'<p style="padding:12px 0"><a href="{{{{ url }}}}" style="{_BUTTON}">{button}</a></p>'
        f"<p>{end}</p><p>{not_you}</p>"
    )
    return {"subject": subject, "text": f"{question}\n\n{{{{ url }}}}\n\n{end} {not_you}\n", "html": html}


CONTENT: Mapping[str, Mapping[str, str]] = {
    "en": _mail(
        "Please confirm: {{ category }}",
        (
            "Do you want to get messages about “{{ category }}” from {{ sender }}? Please confirm it.",
            "The link ends after 7 days.",
            "If you did not ask for this, do nothing: you will get no such messages.",
        ),
        "Confirm",
    ),
    "de": _mail(
        "Bitte bestätigen: {{ category }}",
        (
            "Möchten Sie Nachrichten zu „{{ category }}“ von {{ sender }} erhalten? Bitte bestätigen Sie es.",
            "Der Link endet nach 7 Tagen.",
            "Wenn Sie das nicht angefordert haben, tun Sie nichts: Sie erhalten keine solchen Nachrichten.",
        ),
        "Bestätigen",
    ),
    "es": _mail(
        "Confirme, por favor: {{ category }}",
        (
            "¿Quiere recibir mensajes sobre «{{ category }}» de {{ sender }}? Confírmelo, por favor.",
            "El enlace caduca a los 7 días.",
            "Si no lo ha pedido, no haga nada: no recibirá estos mensajes.",
        ),
        "Confirmar",
    ),
}


def language_of(*locales: str) -> str:
    """The first of these locales' languages that the mail has."""
    for locale in locales:
        if (language := locale.partition("-")[0].lower()) in CONTENT:
            return language
    return "en"
