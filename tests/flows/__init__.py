"""The whole product over HTTP and WebSocket only, with its own servers, workers and sandbox.

The tests build on `tenant` (a tenant's developer and author), `http`, `inboxes` and `admin` (its clients), `sandbox`
(what arrived at the provider) and `wait`. `conftest` starts one `site` for all of them.
"""
