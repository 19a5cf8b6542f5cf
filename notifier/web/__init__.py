"""The web process: how it is started (`python -m notifier.web`), and the limits on what one client may take of it.

uvicorn calls `http` and `sockets`, then the application of `notifier.asgi`, which is built from `disconnects` and
`serving`; Django calls the middlewares. For one request, in this order:

limits       the figures, and which addresses are counted
connections  how many connections each address has, and which of them wait for a request
transport    closes so that the client can read the answer, and does not wait for a client that reads nothing
http         uvicorn's HTTP/1.1 protocol within the limits; sockets: its WebSocket protocol
disconnects  cancels the SQL statements of a request whose client has left
serving      answers each request in one thread of a fixed set
bodies       reads a request's body: small ones from any client, large ones from authorized callers
admission    middleware: whether a caller may send a large body
csp          middleware: the Content-Security-Policy
health       /healthz and /readyz
load_meter   reports how long acceptance takes; /status.json: whether pages of recipients shall ask seldom
tracking     the links and images of emails by which opens and clicks are seen
unsubscribe  the link of an email that opts out; opt_in: the link that confirms an opt-in
preferences  a recipient's own page; view_in_browser: an email as a page
"""
