"""One HTTP exchange, for every probe that speaks HTTP: connecting, TLS, a request, an answer.

Layers, each of which imports only those above it:

    target        what is asked: an address and how to trust it
    answer        what came back
    body          a body as JSON, and quoted for people
    options       the options of TLS
    flat_json     the body of most health endpoints
    reasons       what may prevent an answer
    request       the bytes of a request, and where they go
    plain         a request and its answer without a client library
    authorities   which certificates are trusted, and the files that they come from
    tls           a context, and which TLS failure it was
    place         whose address or socket it is
    failures      errors to results
    connection    connecting, and what that shows
    kept          a connection that is kept between looks
    library       httpx itself
    client        asks with httpx, or again and again on a kept connection
    once          asks once: plainly first, with httpx where that does not do
"""
