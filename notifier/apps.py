from django.apps import AppConfig


class NotifierConfig(AppConfig):
    name = "notifier"
    verbose_name = "Delivery engine"

    def ready(self) -> None:
        from django.utils.module_loading import autodiscover_modules

        from notifier import checks  # noqa: F401  (registers the system checks)

        autodiscover_modules("provider")
