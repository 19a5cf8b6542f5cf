"""What `make demo` shows: a CSV of recipients, a campaign from arm to report, one API call beside it. Everything goes
through the surfaces that users have: the streaming import and the REST API; the sandbox counts what really arrived."""
