"""The OpenAPI document and its page. Both need no API key; the page loads nothing from the internet."""

from __future__ import annotations

from drf_spectacular.renderers import OpenApiJsonRenderer2
from drf_spectacular.views import SpectacularAPIView, SpectacularSwaggerView
from rest_framework.permissions import AllowAny
from rest_framework.renderers import JSONRenderer


class OpenApiJsonRenderer(OpenApiJsonRenderer2):
    # browsers show this media type, and code generators expect it
    media_type = "application/json"


class OpenApiView(SpectacularAPIView):
    authentication_classes = []
    permission_classes = [AllowAny]
    renderer_classes = [OpenApiJsonRenderer, JSONRenderer]


class DocsView(SpectacularSwaggerView):
    authentication_classes = []
    permission_classes = [AllowAny]
    url_name = "openapi"
