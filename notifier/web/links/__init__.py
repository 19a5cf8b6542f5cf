"""The addresses that emails lead to, without a login. `notifier.urls` routes to them; `delivery.content` makes the
links.

`unsubscribe` opts out (RFC 8058), `opt_in` confirms a double opt-in, `view_in_browser` shows an email as a page,
`tracking` counts clicks and opens, `images` serves pictures of templates. They call `notifier.delivery`. Each file can
be read by itself.
"""
