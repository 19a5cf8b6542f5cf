"""The words of the status page, in the languages that the preferences page has."""

from __future__ import annotations

from collections.abc import Mapping

Texts = Mapping[str, str]

_EN: Texts = {
    "title": "Status of {sender}",
    "operational": "Operational",
    "degraded": "Degraded",
    "outage": "Outage",
    "unknown": "No data",
    "all_operational": "All channels work",
    "all_degraded": "Some channels work with restrictions",
    "all_outage": "At least one channel does not work",
    "channels": "Channels",
    "no_channels": "No channel is set up yet.",
    "hours": "The last 24 hours",
    "days": "The last 90 days",
    "trouble_hours": "{degraded} hours with restrictions, {outage} hours with an outage, {unknown} hours without data",
    "trouble_days": "{degraded} days with restrictions, {outage} days with an outage, {unknown} days without data",
    "legend": "Legend",
    "incidents": "Incidents",
    "no_incidents": "No incident was reported in the last 90 days.",
    "investigating": "Investigating",
    "identified": "Cause identified",
    "monitoring": "Monitoring",
    "resolved": "Resolved",
    "since": "Since {began}",
    "until": "{began} to {ended}",
    "updated": "As of {at} (UTC)",
    "email": "Email",
    "sms": "SMS",
    "push": "Push notifications",
    "in_app": "Messages in the app",
    "chat": "Chat",
}
_DE: Texts = {
    "title": "Status von {sender}",
    "operational": "In Betrieb",
    "degraded": "Eingeschränkt",
    "outage": "Ausfall",
    "unknown": "Keine Daten",
    "all_operational": "Alle Kanäle arbeiten",
    "all_degraded": "Einige Kanäle arbeiten eingeschränkt",
    "all_outage": "Mindestens ein Kanal ist ausgefallen",
    "channels": "Kanäle",
    "no_channels": "Noch ist kein Kanal eingerichtet.",
    "hours": "Die letzten 24 Stunden",
    "days": "Die letzten 90 Tage",
    "trouble_hours": "{degraded} Stunden eingeschränkt, {outage} Stunden mit Ausfall, {unknown} Stunden ohne Daten",
    "trouble_days": "{degraded} Tage eingeschränkt, {outage} Tage mit Ausfall, {unknown} Tage ohne Daten",
    "legend": "Legende",
    "incidents": "Störungen",
    "no_incidents": "In den letzten 90 Tagen wurde keine Störung gemeldet.",
    "investigating": "Ursache wird gesucht",
    "identified": "Ursache gefunden",
    "monitoring": "Unter Beobachtung",
    "resolved": "Behoben",
    "since": "Seit {began}",
    "until": "{began} bis {ended}",
    "updated": "Stand: {at} (UTC)",
    "email": "E-Mail",
    "sms": "SMS",
    "push": "Push-Nachrichten",
    "in_app": "Nachrichten in der App",
    "chat": "Chat",
}
_ES: Texts = {
    "title": "Estado de {sender}",
    "operational": "En funcionamiento",
    "degraded": "Con limitaciones",
    "outage": "Interrupción",
    "unknown": "Sin datos",
    "all_operational": "Todos los canales funcionan",
    "all_degraded": "Algunos canales funcionan con limitaciones",
    "all_outage": "Al menos un canal no funciona",
    "channels": "Canales",
    "no_channels": "Todavía no hay ningún canal configurado.",
    "hours": "Las últimas 24 horas",
    "days": "Los últimos 90 días",
    "trouble_hours": "{degraded} horas con limitaciones, {outage} horas con interrupción, {unknown} horas sin datos",
    "trouble_days": "{degraded} días con limitaciones, {outage} días con interrupción, {unknown} días sin datos",
    "legend": "Leyenda",
    "incidents": "Incidencias",
    "no_incidents": "En los últimos 90 días no se ha comunicado ninguna incidencia.",
    "investigating": "Se busca la causa",
    "identified": "Causa identificada",
    "monitoring": "En observación",
    "resolved": "Resuelta",
    "since": "Desde {began}",
    "until": "De {began} a {ended}",
    "updated": "A {at} (UTC)",
    "email": "Correo electrónico",
    "sms": "SMS",
    "push": "Notificaciones push",
    "in_app": "Mensajes en la aplicación",
    "chat": "Chat",
}
TEXTS: Mapping[str, Texts] = {"en": _EN, "de": _DE, "es": _ES}
#: how dates are written
DATES = {"en": "%d %b %Y, %H:%M", "de": "%d.%m.%Y, %H:%M", "es": "%d/%m/%Y, %H:%M"}


def language_of(*locales: str) -> str:
    """The first of these locales whose language the page has."""
    for locale in locales:
        if (language := locale.partition("-")[0].lower()) in TEXTS:
            return language
    return "en"
