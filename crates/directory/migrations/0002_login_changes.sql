-- Which logins changed, and when: so that only these are read anew, and no right that was proved before a change outlives it,
-- also where nobody was looking (the server was down).
create table login_change (
  revision integer primary key autoincrement,
  login text not null,
  ends_rights integer not null,               -- 0: only where its mail lies, or how much it may hold
  changed_at integer not null                 -- milliseconds since 1970
) strict;
create index login_change_login on login_change (login, ends_rights, changed_at);

-- A number that no account had before: one that is made anew under the id and the name of a deleted one is another one.
create trigger account_added_told after insert on account
begin
  insert into login_change (login, ends_rights, changed_at)
  values (new.login, 1, cast((julianday('now') - 2440587.5) * 86400000 as integer));
  update account set password_version = (select max(revision) from login_change) where account_id = new.account_id;
end;
create trigger account_removed_told after delete on account
begin
  insert into login_change (login, ends_rights, changed_at)
  values (old.login, 1, cast((julianday('now') - 2440587.5) * 86400000 as integer));
end;
create trigger account_login_change_told after update of login, password_version, apop_only, locked, expires_at on account
begin
  insert into login_change (login, ends_rights, changed_at)
  values (old.login, 1, cast((julianday('now') - 2440587.5) * 86400000 as integer));
  insert into login_change (login, ends_rights, changed_at)
  select new.login, 1, cast((julianday('now') - 2440587.5) * 86400000 as integer) where new.login <> old.login;
  insert into login_change (login, ends_rights, changed_at)
  select device.login, 0, cast((julianday('now') - 2440587.5) * 86400000 as integer) from device where account_id = new.account_id;
end;
create trigger account_route_change_told after update of maildir, quota_octets on account
begin
  insert into login_change (login, ends_rights, changed_at)
  values (new.login, 0, cast((julianday('now') - 2440587.5) * 86400000 as integer));
  insert into login_change (login, ends_rights, changed_at)
  select device.login, 0, cast((julianday('now') - 2440587.5) * 86400000 as integer) from device where account_id = new.account_id;
end;
create trigger device_added_told after insert on device
begin
  insert into login_change (login, ends_rights, changed_at)
  values (new.login, 1, cast((julianday('now') - 2440587.5) * 86400000 as integer));
end;
create trigger device_removed_told after delete on device
begin
  insert into login_change (login, ends_rights, changed_at)
  values (old.login, 1, cast((julianday('now') - 2440587.5) * 86400000 as integer));
end;
-- What a device proved counts as its account's.
create trigger device_change_told after update on device
begin
  insert into login_change (login, ends_rights, changed_at)
  values (old.login, 1, cast((julianday('now') - 2440587.5) * 86400000 as integer));
  insert into login_change (login, ends_rights, changed_at)
  select account.login, 1, cast((julianday('now') - 2440587.5) * 86400000 as integer) from account
  where account_id = new.account_id and new.revoked_at is not null and old.revoked_at is null;
end;
