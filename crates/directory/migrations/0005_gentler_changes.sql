-- More time, or a lock that is taken off, ends no right: mail that waits for that login must not be held for it. A right ends with
-- another secret or name, with a lock, and with time that is over; who had ended before and may again begins anew.
drop trigger account_login_change_told;
create trigger account_login_change_told after update of login, password_version, apop_only, locked, expires_at on account
begin
  insert into login_change (login, ends_rights, changed_at)
  select old.login,
    old.login is not new.login
      or old.password_version is not new.password_version
      or old.apop_only is not new.apop_only
      or new.locked > old.locked
      or (old.expires_at is not new.expires_at
        and (coalesce(old.expires_at <= unixepoch('now'), 0) or coalesce(new.expires_at <= unixepoch('now'), 0))),
    cast((julianday('now') - 2440587.5) * 86400000 as integer);
  insert into login_change (login, ends_rights, changed_at)
  select new.login, 1, cast((julianday('now') - 2440587.5) * 86400000 as integer) where new.login <> old.login;
  insert into login_change (login, ends_rights, changed_at)
  select device.login, 0, cast((julianday('now') - 2440587.5) * 86400000 as integer) from device where account_id = new.account_id;
end;
