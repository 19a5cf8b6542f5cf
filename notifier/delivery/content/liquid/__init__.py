"""The Liquid that tenants write: sandboxed, within limits of what a template may use and how long it may render.

`text` is the entry, which `content.templates`, its neighbours and the admin's editor call. It checks the source before
it is parsed (`source`), parses with python-liquid, says where a mistake stands (`mistake_places`), and renders under a
`render_budget`, which acceptance and previews share out. `tree` says which nodes a template may have, `filters` which
filters, `values` how a value is printed. Read `text`, `source`, `tree`, `filters`, `values`, `render_budget`.
"""
