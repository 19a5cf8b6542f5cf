"""The Liquid that tenants write: sandboxed, within limits of what a template may use and how long it may render.
`text` is the entry."""
