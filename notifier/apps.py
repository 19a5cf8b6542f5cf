from django.apps import AppConfig


class NotifierConfig(AppConfig):
    name = "notifier"
    verbose_name = "Delivery engine"

    def ready(self) -> None:
        from django.utils.module_loading import autodiscover_modules

        # the checks register themselves; the Celery app must exist before anybody posts a task
        from notifier import celery, checks  # noqa: F401

        autodiscover_modules("provider")

        from notifier.delivery.planning import category_rules
        from tenants.categories import add_use_finder

        add_use_finder(category_rules.uses)
