"""WSGI entry point, without WebSockets; production uses asgi.py."""

import os

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "notifier.settings")
os.environ.setdefault("NOTIFIER_DATABASE_ROLE", "web")

from django.core.wsgi import get_wsgi_application

from notifier.checks import refuse_insecure_boot

application = get_wsgi_application()
refuse_insecure_boot()
