-- A client with a grant in Alice's name, where the milter decides about relaying. -D socket, -D address
dofile(shared)

local conn = client(address)
mail(conn, "alice@example.test")
rcpt(conn, "friend@outside.example", CONTINUE)
rcpt(conn, "nobody-is-here@example.test", REFUSED)
content(conn)
eom(conn)
-- In the same connection, in another name; then again in hers: the grant is of the transaction.
mail(conn, "bob@example.test")
rcpt(conn, "friend@outside.example", REFUSED)
rcpt(conn, "carol@example.test", CONTINUE)
must("abort", mt.abort(conn))
mail(conn, "alice@example.test")
rcpt(conn, "friend@outside.example", CONTINUE)
mt.disconnect(conn)

conn = client("192.0.2.66")
mail(conn, "alice@example.test")
rcpt(conn, "friend@outside.example", REFUSED)
mt.disconnect(conn)
