"""The page's own words. A language that is missing here falls back to English."""

from __future__ import annotations

from collections.abc import Mapping

from django.http import HttpRequest

from tenants.models import Tenant

LANGUAGES: Mapping[str, str] = {"en": "English", "de": "Deutsch", "es": "Español"}

_EN = {
    "title": "Your notifications from {sender}",
    "intro": "Choose what you want to get, and how.",
    "saved": "Your choices are saved.",
    "not_saved": "Nothing was saved. Please look at the marked field.",
    "channels": "Channels",
    "channels_help": "A channel that is off carries nothing but what you must know, such as a security warning.",
    "categories": "Subjects",
    "essential": "You always get these.",
    "quiet": "Quiet hours",
    "quiet_help": "Promotions wait until the end of these hours. Leave both empty for none.",
    "quiet_from": "From",
    "quiet_until": "Until",
    "quiet_wrong": "Please give two different times such as 22:00 and 07:00, or leave both empty.",
    "language": "Language",
    "language_help": "Of the messages that you get.",
    "language_default": "As until now",
    "save": "Save",
    "none": "Unsubscribe from all",
    "none_help": "You will only get messages about your orders and your account, and what you must know.",
    "everything_off": "You have unsubscribed from all. The choices below hold again when you end that.",
    "some": "Get messages again",
    "asked": "Please confirm by the link in the mail that we sent you:",
    "asked_one": "Waits for your confirmation by the link in our mail.",
    "opt_in_wrong": "One of the new subjects needs your confirmation by mail, and no mail can be sent to you now.",
    "preferred": "Preferred channel",
    "preferred_help": "Where you want messages if they can come in several ways.",
    "preferred_any": "No preference",
    "preferred_same": "As for all",
    "snooze": "Pause",
    "snooze_help": "Promotions wait until the day that you choose. Leave it empty for no pause.",
    "snooze_until": "Pause until",
    "snooze_wrong": "Please choose a day of the coming twelve months, or leave it empty.",
    "leave_title": "{sender}",
    "leave_ask": "Do you want no more messages about “{category}” from {sender} ({channel})?",
    "leave": "Unsubscribe",
    "leave_done": "You will get no more messages about “{category}” from {sender} ({channel}).",
    "ended_title": "This link has ended",
    "ended": "For your safety, links to this page end after 30 days.",
    "renew": "Send a new link to {address}",
    "renewed": "A new link is on its way to {address}.",
    "no_address": "Please ask {sender} for a new link.",
    "email": "Email",
    "sms": "SMS",
    "push": "Push notifications",
    "in_app": "Messages in the app",
    "chat": "Chat",
    "mail_subject": "Your link to your notification settings",
    "mail_text": "Here you choose what you get from {sender}:\n\n{url}\n\nThe link ends after 30 days.",
}
_DE = {
    "title": "Ihre Benachrichtigungen von {sender}",
    "intro": "Wählen Sie, was Sie erhalten möchten und auf welchem Weg.",
    "saved": "Ihre Auswahl ist gespeichert.",
    "not_saved": "Es wurde nichts gespeichert. Bitte prüfen Sie das markierte Feld.",
    "channels": "Wege",
    "channels_help": "Auf einem abgeschalteten Weg kommt nur, was Sie wissen müssen, etwa eine Sicherheitswarnung.",
    "categories": "Themen",
    "essential": "Diese erhalten Sie immer.",
    "quiet": "Ruhezeit",
    "quiet_help": "Werbung wartet bis zum Ende dieser Zeit. Ohne Ruhezeit lassen Sie beide Felder leer.",
    "quiet_from": "Von",
    "quiet_until": "Bis",
    "quiet_wrong": "Bitte geben Sie zwei verschiedene Zeiten an, etwa 22:00 und 07:00, oder lassen Sie beide leer.",
    "language": "Sprache",
    "language_help": "Der Nachrichten, die Sie erhalten.",
    "language_default": "Wie bisher",
    "save": "Speichern",
    "none": "Alles abbestellen",
    "none_help": "Sie erhalten dann nur Nachrichten zu Ihren Bestellungen und Ihrem Konto und was Sie wissen müssen.",
    "everything_off": "Sie haben alles abbestellt. Die Auswahl unten gilt wieder, wenn Sie das beenden.",
    "some": "Wieder Nachrichten erhalten",
    "asked": "Bitte bestätigen Sie über den Link in der E-Mail, die wir Ihnen gesendet haben:",
    "asked_one": "Wartet auf Ihre Bestätigung über den Link in unserer E-Mail.",
    "opt_in_wrong": "Ein neues Thema braucht Ihre Bestätigung per E-Mail, und derzeit können wir Ihnen keine senden.",
    "preferred": "Bevorzugter Weg",
    "preferred_help": "Wo Sie Nachrichten möchten, die auf mehreren Wegen kommen können.",
    "preferred_any": "Egal",
    "preferred_same": "Wie für alle",
    "snooze": "Pause",
    "snooze_help": "Werbung wartet bis zu dem Tag, den Sie wählen. Ohne Pause lassen Sie das Feld leer.",
    "snooze_until": "Pause bis",
    "snooze_wrong": "Bitte wählen Sie einen Tag der nächsten zwölf Monate, oder lassen Sie das Feld leer.",
    "leave_title": "{sender}",
    "leave_ask": "Möchten Sie keine Nachrichten zu „{category}“ von {sender} mehr erhalten ({channel})?",
    "leave": "Abbestellen",
    "leave_done": "Sie erhalten keine Nachrichten zu „{category}“ von {sender} mehr ({channel}).",
    "ended_title": "Dieser Link ist abgelaufen",
    "ended": "Zu Ihrer Sicherheit enden Links zu dieser Seite nach 30 Tagen.",
    "renew": "Neuen Link an {address} senden",
    "renewed": "Ein neuer Link ist unterwegs an {address}.",
    "no_address": "Bitte fragen Sie {sender} nach einem neuen Link.",
    "email": "E-Mail",
    "sms": "SMS",
    "push": "Push-Nachrichten",
    "in_app": "Nachrichten in der App",
    "chat": "Chat",
    "mail_subject": "Ihr Link zu Ihren Benachrichtigungen",
    "mail_text": "Hier wählen Sie, was Sie von {sender} erhalten:\n\n{url}\n\nDer Link endet nach 30 Tagen.",
}
_ES = {
    "title": "Sus notificaciones de {sender}",
    "intro": "Elija qué quiere recibir y cómo.",
    "saved": "Sus preferencias se han guardado.",
    "not_saved": "No se ha guardado nada. Revise el campo marcado.",
    "channels": "Canales",
    "channels_help": "Por un canal desactivado solo llega lo que debe saber, como un aviso de seguridad.",
    "categories": "Temas",
    "essential": "Estos los recibe siempre.",
    "quiet": "Horas de silencio",
    "quiet_help": "Las promociones esperan hasta el final de estas horas. Sin ellas, deje ambos vacíos.",
    "quiet_from": "Desde",
    "quiet_until": "Hasta",
    "quiet_wrong": "Indique dos horas distintas, como 22:00 y 07:00, o deje ambas vacías.",
    "language": "Idioma",
    "language_help": "De los mensajes que recibe.",
    "language_default": "Como hasta ahora",
    "save": "Guardar",
    "none": "Cancelar todas las suscripciones",
    "none_help": "Solo recibirá mensajes sobre sus pedidos y su cuenta, y lo que debe saber.",
    "everything_off": "Ha cancelado todas las suscripciones. Lo elegido abajo vuelve a valer cuando lo termine.",
    "some": "Volver a recibir mensajes",
    "asked": "Confírmelo, por favor, con el enlace del correo que le hemos enviado:",
    "asked_one": "Espera su confirmación con el enlace de nuestro correo.",
    "opt_in_wrong": "Un tema nuevo necesita su confirmación por correo, y ahora no se le puede enviar ninguno.",
    "preferred": "Canal preferido",
    "preferred_help": "Por dónde quiere los mensajes que pueden llegar por varios canales.",
    "preferred_any": "Sin preferencia",
    "preferred_same": "Como para todos",
    "snooze": "Pausa",
    "snooze_help": "Las promociones esperan hasta el día que elija. Sin pausa, déjelo vacío.",
    "snooze_until": "Pausa hasta",
    "snooze_wrong": "Elija un día de los próximos doce meses, o déjelo vacío.",
    "leave_title": "{sender}",
    "leave_ask": "¿No quiere recibir más mensajes sobre «{category}» de {sender} ({channel})?",
    "leave": "Cancelar la suscripción",
    "leave_done": "No recibirá más mensajes sobre «{category}» de {sender} ({channel}).",
    "ended_title": "Este enlace ha caducado",
    "ended": "Por su seguridad, los enlaces a esta página caducan a los 30 días.",
    "renew": "Enviar un enlace nuevo a {address}",
    "renewed": "Un enlace nuevo va de camino a {address}.",
    "no_address": "Pida un enlace nuevo a {sender}.",
    "email": "Correo electrónico",
    "sms": "SMS",
    "push": "Notificaciones push",
    "in_app": "Mensajes en la aplicación",
    "chat": "Chat",
    "mail_subject": "Su enlace a sus notificaciones",
    "mail_text": "Aquí elige qué recibe de {sender}:\n\n{url}\n\nEl enlace caduca a los 30 días.",
}
_TEXTS: Mapping[str, Mapping[str, str]] = {"en": _EN, "de": _DE, "es": _ES}


def texts_for(*locales: str) -> tuple[str, Mapping[str, str]]:
    """The language of the first of these locales that the page has, and its texts."""
    for locale in locales:
        if (language := locale.partition("-")[0].lower()) in _TEXTS:
            return language, _TEXTS[language]
    return "en", _EN


def accepted_languages(request: HttpRequest) -> list[str]:
    """The languages that the browser asks for, in its order."""
    header = request.headers.get("Accept-Language", "")[:200]
    return [part.partition(";")[0].strip() for part in header.split(",")]


def own_texts(tenant: Tenant, language: str) -> Mapping[str, str]:
    """The tenant's own title, intro and footer in this language; empty ones are left out. They are no format strings
    and no HTML: the page escapes them."""
    texts = tenant.page_texts.get(language)
    return {name: str(text) for name, text in texts.items() if text} if isinstance(texts, dict) else {}
