"""/unsubscribe/<token>: the page behind the link in an email, and the POST that mail clients send by themselves (RFC
8058).

Only a POST opts out, because virus scanners open every link of a mail. The POST needs no cookie and no form token: the
link itself authorizes it. The most that a stolen link allows is to opt this recipient out.
"""

from __future__ import annotations

from django.db import transaction
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_exempt

from notifier.delivery.content.links.unsubscribe_link import OptOut, read_token
from notifier.vocabulary.status import ConsentSource
from notifier.web.languages import accepted_languages
from notifier.web.preferences.texts import texts_for
from tenants.access import scope
from tenants.models import Category, Recipient, Tenant
from tenants.people.opt_out import opt_out

#: the page's words (notifier.web.preferences.texts)
_TEXTS = ("leave_title", "leave_ask", "leave", "leave_done")


@method_decorator([csrf_exempt, never_cache, transaction.non_atomic_requests], name="dispatch")
class Unsubscribe(View):
    def get(self, request: HttpRequest, token: str) -> HttpResponse:
        """A page with a button; changes nothing."""
        return self._page(request, _read(token), done=False)

    def post(self, request: HttpRequest, token: str) -> HttpResponse:
        """Opts out. A repeat gets the same answer."""
        link = _read(token)
        with scope(link.tenant_id, source=ConsentSource.PERSON):
            opt_out(link.tenant_id, link.recipient_id, link.channel, link.category)
        return self._page(request, link, done=True)

    def _page(self, request: HttpRequest, link: OptOut, *, done: bool) -> HttpResponse:
        with scope(link.tenant_id):
            tenant = Tenant.objects.filter(pk=link.tenant_id).first()
            category = Category.objects.filter(tenant_id=link.tenant_id, key=link.category).first()
            person = Recipient.objects.filter(pk=link.recipient_id, tenant_id=link.tenant_id).first()
        if tenant is None:
            raise Http404
        own = person.locale if person else ""
        language, texts = texts_for(own, *accepted_languages(request), tenant.default_locale)
        names = {
            "sender": tenant.name,
            "category": category.name if category else link.category,
            "channel": texts.get(link.channel, link.channel),
        }
        context = {
            "tenant": tenant,
            "language": language,
            "t": {name: texts[name].format(**names) for name in _TEXTS},
            "done": done,
        }
        return render(request, "unsubscribe.html", context)


def _read(token: str) -> OptOut:
    link = read_token(token)
    if link is None:
        raise Http404
    return link
