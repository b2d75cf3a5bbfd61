-- One message through every stage; refused recipients do not end it. -D socket, -D outside (letters for a stranger's
-- recipient outside)
dofile(shared)

local conn = client("192.0.2.66")
mail(conn, "x@elsewhere.example")
rcpt(conn, "alice@example.test", CONTINUE)
rcpt(conn, "nobody-is-here@example.test", REFUSED)
rcpt(conn, "friend@outside.example", outside)
rcpt(conn, "bob@example.test", CONTINUE)
content(conn)
eom(conn)
mt.disconnect(conn)

-- A client over IPv6, a null reverse-path, and a recipient for whom no account can be.
conn = client("2001:db8::66")
mail(conn, "")
rcpt(conn, "alice@example.test", CONTINUE)
rcpt(conn, "a%outside.example@example.test", REFUSED)
rcpt(conn, "friend@outside.example", outside)
content(conn)
eom(conn)
mt.disconnect(conn)

-- Without an address: a socket of this machine, or a family that nobody knows.
conn = client("unspec")
mail(conn, "x@elsewhere.example")
rcpt(conn, "alice@example.test", CONTINUE)
rcpt(conn, "friend@outside.example", outside)
mt.disconnect(conn)
