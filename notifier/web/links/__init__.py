"""The addresses that emails lead to, without a login: opting out and in, an email as a page, pictures, and those by
which opens and clicks are seen. `notifier.delivery.content.links` makes the links."""
