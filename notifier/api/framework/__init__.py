"""What every endpoint of the API shares. Views of `notifier.api`, `campaigns.api` and `inbox.http` are built from it.

For one request, in this order:
guard           middleware: limits and storable addresses before a view runs, problem documents where no view can answer
paths           how an address is cut into segments
body            reads a JSON body within limits
authentication  the API key of a caller and its scopes
views           the base class of the views
idempotency     a POST that is sent again gets the first answer again
fields          serializer fields that convert nothing
pagination      lists by cursor
errors          every error as a problem document (RFC 9457)
negotiation     the media type of an answer
schema          describes endpoints in the OpenAPI document
"""
