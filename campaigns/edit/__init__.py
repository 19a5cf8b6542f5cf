"""Create, change, copy and delete campaigns and audiences, and fill lists from files.

The API and the admin call this package, and so do silent runs. It calls `arming` (a change returns an armed campaign to
draft), `audience` (filters and lists), the audit log, and the templates of the engine. Read `fields`, then `campaigns`,
`drafts`, `audiences`, `uploads`; then `times`, `variants`, `editable` (whether the content may change), `corrections`
and `left_out` (a new draft, or audience, made from a campaign that was sent).
"""
