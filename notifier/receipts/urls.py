"""The receipts address. `<str:secret>` is the last part, so that logs can leave it out (notifier.logs)."""

from django.urls import path

from notifier.receipts.view import Receipts

urlpatterns = [path("receipts/<str:provider>/<id:account_id>/<str:secret>", Receipts.as_view())]
