"""The inbox's own addresses."""

from inbox import api, views

urlpatterns = [*api.urlpatterns, *views.urlpatterns]
