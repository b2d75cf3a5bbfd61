-- Several messages in one connection, some given up, and connections that end in the middle. -D socket
dofile(shared)

local conn = client("192.0.2.66")
for n = 1, 5 do
  mail(conn, "x" .. n .. "@elsewhere.example")
  rcpt(conn, "alice@example.test", CONTINUE)
  if n % 2 == 0 then
    -- RSET behind RCPT, and in the middle of the message.
    if n == 4 then content(conn) end
    must("abort", mt.abort(conn))
  else
    rcpt(conn, "nobody-is-here@example.test", REFUSED)
    content(conn)
    eom(conn)
  end
end
mt.disconnect(conn)

for _, polite in ipairs({ true, false }) do
  for stage = 1, 4 do
    conn = client("192.0.2.66")
    if stage > 1 then mail(conn, "x@elsewhere.example") end
    if stage > 2 then rcpt(conn, "alice@example.test", CONTINUE) end
    if stage > 3 then content(conn) end
    mt.disconnect(conn, polite)
  end
end

-- Who comes next is served.
conn = client("192.0.2.67")
mail(conn, "x@elsewhere.example")
rcpt(conn, "alice@example.test", CONTINUE)
content(conn)
eom(conn)
mt.disconnect(conn)
