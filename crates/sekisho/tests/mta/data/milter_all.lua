-- What the other scripts share: steps that must succeed, and the answers that they must get.

-- miltertest ends with 1 on an error, and does not say which.
function fail(text)
  mt.echo(debug.traceback(text, 2))
  error(text, 2)
end

function must(step, failure)
  if failure ~= nil then fail(step .. ": " .. tostring(failure)) end
end

-- The answer to the last step, by its letter in the protocol.
function answers(conn, step, letters)
  local answer = string.char(mt.getreply(conn))
  if not string.find(letters, answer, 1, true) then
    fail(step .. ": answered '" .. answer .. "', not one of '" .. letters .. "'")
  end
end

CONTINUE, REFUSED, PUT_OFF = "c", "yr", "yt"

-- A connection that has been negotiated, from a client at this address.
function client(address)
  local conn = mt.connect(socket, 40, 0.25)
  if conn == nil then fail("no milter at " .. socket) end
  must("negotiate", mt.negotiate(conn, nil, nil, nil))
  must("connect", mt.conninfo(conn, "client.example", address))
  answers(conn, "connect", CONTINUE)
  if not mt.test_option(conn, SMFIP_NOHELO) then
    must("helo", mt.helo(conn, "client.example"))
    answers(conn, "helo", CONTINUE)
  end
  return conn
end

function mail(conn, from)
  mt.macro(conn, SMFIC_MAIL, "i", "lua" .. os.time(), "{mail_addr}", from)
  must("mail", mt.mailfrom(conn, "<" .. from .. ">", "SIZE=1000"))
  answers(conn, "mail " .. from, CONTINUE)
end

function rcpt(conn, to, letters)
  mt.macro(conn, SMFIC_RCPT, "{rcpt_mailer}", "esmtp", "{rcpt_addr}", to)
  must("rcpt", mt.rcptto(conn, "<" .. to .. ">"))
  answers(conn, "rcpt " .. to, letters)
end

-- DATA, header, body: as far as the milter wants them.
function content(conn)
  if not mt.test_option(conn, SMFIP_NODATA) then
    must("data", mt.data(conn))
    answers(conn, "data", CONTINUE)
  end
  if not mt.test_option(conn, SMFIP_NOHDRS) then
    for name, value in pairs({ From = "x@elsewhere.example", Subject = "a test", To = "alice@example.test" }) do
      must("header", mt.header(conn, name, value))
      answers(conn, "header " .. name, CONTINUE)
    end
  end
  if not mt.test_option(conn, SMFIP_NOEOH) then
    must("eoh", mt.eoh(conn))
    answers(conn, "eoh", CONTINUE)
  end
  if not mt.test_option(conn, SMFIP_NOBODY) then
    must("body", mt.bodystring(conn, "One line.\r\n"))
    answers(conn, "body", CONTINUE .. "s")
    must("body", mt.bodystring(conn, "Another.\r\n.\r\n"))
    answers(conn, "body", CONTINUE .. "s")
  end
end

function eom(conn)
  must("eom", mt.eom(conn))
  answers(conn, "eom", CONTINUE .. "a")
  -- The guard must not change what is said, nor to whom.
  if mt.eom_check(conn, MT_BODYCHANGE) or mt.eom_check(conn, MT_RCPTADD, "friend@outside.example")
    or mt.eom_check(conn, MT_RCPTDELETE, "alice@example.test") then
    fail("eom: recipients or body changed")
  end
end
