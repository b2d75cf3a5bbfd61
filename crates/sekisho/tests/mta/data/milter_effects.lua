-- What access rules want done with a message, at its end. -D socket
dofile(shared)

local function message(sender, check)
  local conn = client("192.0.2.66")
  mail(conn, sender .. "@elsewhere.example")
  rcpt(conn, "alice@example.test", CONTINUE)
  content(conn)
  must("eom", mt.eom(conn))
  check(conn)
  mt.disconnect(conn)
end

message("marked", function(conn)
  answers(conn, "eom", CONTINUE)
  if not mt.eom_check(conn, MT_HDRINSERT, "X-Marked", "yes") then fail("no header was put above the message") end
end)
message("held", function(conn)
  answers(conn, "eom", CONTINUE)
  if not mt.eom_check(conn, MT_QUARANTINE) then fail("it was not held") end
end)
message("gone", function(conn) answers(conn, "eom", "d") end)
message("plain", function(conn)
  answers(conn, "eom", CONTINUE)
  if mt.eom_check(conn, MT_HDRINSERT, "X-Marked") or mt.eom_check(conn, MT_QUARANTINE) then fail("not asked for") end
end)

-- A refusal of the rules: the sender's at MAIL; the client's at MAIL, since it may log in before.
local conn = client("192.0.2.66")
must("mail", mt.mailfrom(conn, "<refused@elsewhere.example>"))
answers(conn, "mail", REFUSED)
mt.disconnect(conn)
conn = mt.connect(socket, 40, 0.25)
must("negotiate", mt.negotiate(conn, nil, nil, nil))
must("connect", mt.conninfo(conn, "client.example", "192.0.2.99"))
answers(conn, "connect", CONTINUE)
must("mail", mt.mailfrom(conn, "<plain@elsewhere.example>"))
answers(conn, "mail", REFUSED)
mt.disconnect(conn)
