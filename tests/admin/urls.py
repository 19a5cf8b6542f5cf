"""The admin alone."""

from django.urls import path

from tenants.admin import admin_site

urlpatterns = [path("admin/", admin_site.urls)]
