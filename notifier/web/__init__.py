"""The web process: how it is started (`python -m notifier.web`), and the limits on what one client may take of it.

uvicorn calls the classes of `protocols`, then the application of `notifier.asgi`: `metrics`, `load_meter` and
`rate_door` around what is in `serving`; Django calls the middlewares, then a view. In the order of a request:

limits       the figures, and which addresses are counted
protocols    uvicorn's protocols within the limits: connections, HTTP/1.1, WebSocket
metrics      measures each answer, and answers /metrics
load_meter   reports how long acceptance takes; /status.json: whether pages of recipients shall ask seldom
rate_door    takes a token of the caller's rate limit for each request
serving      reads a body, and answers the request in one thread of a fixed set
csp, database_away, replica    middlewares: the Content-Security-Policy, 503 without the database, the read replica
links        what emails lead to: opting out and in, an email as a page, pictures, opens and clicks
preferences  a recipient's own page; status: a tenant's public status page; languages: which ones a browser asks for
health       /healthz and /readyz
postgresql   the database backend of the process; site_mail: its connection to the site's own mail server
"""
