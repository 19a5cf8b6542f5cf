"""`/v1/inbox/preferences`: a person's own preferences, with the recipient token."""

from __future__ import annotations

from rest_framework.request import Request
from rest_framework.response import Response

from inbox.http.base import TAGS, InboxView
from notifier.api.framework import schema
from notifier.api.framework.paths import path
from notifier.api.framework.views import read
from notifier.api.people.preferences import change, shown
from notifier.api.people.shapes import PreferencesInput, PreferencesOutput
from tenants.models import Preference


class PreferencesView(InboxView):
    @schema.describe("Read own preferences", gives=PreferencesOutput, tags=TAGS)
    def get(self, request: Request) -> Response:
        """The preferences of this recipient. A recipient without stored preferences allows everything."""
        stored = Preference.objects.filter(recipient_id=self.visitor().recipient_id).first()
        return Response(shown(stored or Preference()))

    @schema.describe(
        "Change own preferences", takes=PreferencesInput, gives=PreferencesOutput, fails=(400, 403), tags=TAGS
    )
    def put(self, request: Request) -> Response:
        """Holds from now on, also for messages that were scheduled before."""
        values, visitor = read(PreferencesInput, request.data), self.visitor()
        return Response(shown(change(visitor.tenant_id, visitor.recipient_id, values)))


urlpatterns = [path("v1/inbox/preferences", PreferencesView.as_view())]
