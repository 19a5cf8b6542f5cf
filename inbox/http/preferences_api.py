"""`/v1/inbox/preferences`: a person's own preferences, with the recipient token; for `<notifier-preferences>` and for
pages of the tenant's own."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from inbox.http.base import TAGS, InboxView
from inbox.tokens import Visitor
from notifier.api.framework import schema
from notifier.api.framework.origin import origin_of
from notifier.api.framework.paths import path
from notifier.api.framework.views import read
from notifier.api.people.preferences import change
from notifier.api.people.shapes import PreferencesInput, PreferencesOutput
from notifier.errors import NotFound
from notifier.vocabulary.status import Kind
from notifier.web.preferences.state import State, languages_of, load_state


class CategoryChoiceOutput(serializers.Serializer[Any]):
    key = serializers.CharField()
    name = serializers.CharField()
    description = serializers.CharField()
    essential = serializers.BooleanField(help_text="true: the recipient cannot turn it off.")
    opt_in = serializers.BooleanField(help_text="true: off until the recipient asks for it.")
    unconfirmed = serializers.BooleanField(help_text="true: a mail waits for the recipient's confirmation.")
    channels = serializers.DictField(
        child=serializers.BooleanField(), help_text="Whether it comes on each channel that reaches the recipient."
    )


class ChoicesOutput(serializers.Serializer[Any]):
    channels = serializers.ListField(
        child=serializers.CharField(), help_text="The channels that reach the recipient, and those that are off."
    )
    categories = CategoryChoiceOutput(many=True)
    languages = serializers.ListField(child=serializers.CharField(), help_text="That the tenant's templates have.")


class OwnPreferencesOutput(PreferencesOutput):
    choices = ChoicesOutput(help_text="What a page needs to show the preferences; PUT does not take it.")


class PreferencesView(InboxView):
    @schema.describe("Read own preferences", gives=OwnPreferencesOutput, fails=(404,), tags=TAGS)
    def get(self, request: Request) -> Response:
        """The preferences of this recipient, and what a page needs to show them."""
        return Response(_shown(self.visitor()))

    @schema.describe(
        "Change own preferences", takes=PreferencesInput, gives=OwnPreferencesOutput, fails=(400, 403, 404), tags=TAGS
    )
    def put(self, request: Request) -> Response:
        """Holds from now on, also for messages that were scheduled before. An opt-in that needs a confirmation holds
        when the recipient has confirmed it by the link in a mail."""
        values, visitor = read(PreferencesInput, request.data), self.visitor()
        _state(visitor)
        change(visitor.tenant_id, visitor.recipient_id, values, origin_of(request, "widget"))
        return Response(_shown(visitor))


def _state(visitor: Visitor) -> State:
    state = load_state(visitor.tenant_id, visitor.recipient_id)
    if state is None:
        raise NotFound("There is no such recipient.")
    return state


def _shown(visitor: Visitor) -> dict[str, Any]:
    state = _state(visitor)
    categories = [
        {
            "key": category.key,
            "name": category.name,
            "description": category.description,
            "essential": category.kind == Kind.CRITICAL,
            "opt_in": state.needs_opt_in(category),
            "unconfirmed": category.key in state.unconfirmed,
            "channels": {
                name: category.kind == Kind.CRITICAL or state.is_on(category, name) for name in state.channels
            },
        }
        for category in state.categories
    ]
    choices = {"channels": state.channels, "categories": categories, "languages": languages_of(state)}
    return {**state.preferences, "choices": choices}


urlpatterns = [path("v1/inbox/preferences", PreferencesView.as_view())]
