-- Accounts, their addresses and aliases, and the secrets of old devices.
-- Logins, local addresses and domains stand in lower case; times are seconds since 1970.

-- One row. The two revisions let another process see that something changed (see the triggers below).
create table meta (
  meta_id integer primary key check (meta_id = 1),
  key_fingerprint blob,                       -- which server key sealed the device secrets
  routing_revision integer not null default 0,
  login_revision integer not null default 0
) strict;
insert into meta (meta_id) values (1);

create table domain (
  domain text primary key not null,
  catch_all text                              -- the address that takes what nobody else takes
) strict, without rowid;

create table account (
  account_id integer primary key,
  login text not null unique,                 -- user@domain
  domain text not null references domain (domain),
  maildir text not null unique,               -- relative to the mail directory
  hash text,                                  -- {SCHEME}…; null: no main password
  scram text,                                 -- {SCRAM-SHA-256}…; null: no keys
  password_version integer not null default 0, -- counts changed passwords, not re-hashed ones
  quota_octets integer,
  apop_only integer not null default 0,
  locked integer not null default 0,
  expires_at integer,
  created_at integer not null
) strict;
create index account_domain on account (domain);

create table address (
  address text primary key not null,
  domain text not null references domain (domain),
  account_id integer not null references account (account_id) on delete cascade
) strict, without rowid;
create index address_account on address (account_id);
create index address_domain on address (domain);

create table alias (
  address text not null,
  target text not null,
  domain text not null references domain (domain),
  primary key (address, target)
) strict, without rowid;
create index alias_target on alias (target);
create index alias_domain on alias (domain);

create table device (
  device_id integer primary key,
  account_id integer not null references account (account_id) on delete cascade,
  name text not null,
  login text not null unique,                 -- user-name@domain
  sealed_secret blob not null,                -- nonce, AES-256-GCM ciphertext, tag
  scram text not null,
  networks text not null,                     -- CIDR, blank between; empty: everywhere
  messages_per_hour integer,
  recipients text not null check (recipients in ('own-domains', 'anywhere')),
  expires_at integer,
  revoked_at integer,
  created_at integer not null
) strict;
create index device_account on device (account_id);

-- A login means one thing: an account or a device.
create trigger account_login_free before insert on account
when exists (select 1 from device where login = new.login)
begin select raise(abort, 'login is a device'); end;
create trigger device_login_free before insert on device
when exists (select 1 from account where login = new.login)
begin select raise(abort, 'login is an account'); end;

create trigger domain_added after insert on domain
begin update meta set routing_revision = routing_revision + 1; end;
create trigger domain_changed after update on domain
begin update meta set routing_revision = routing_revision + 1; end;
create trigger domain_removed after delete on domain
begin update meta set routing_revision = routing_revision + 1; end;
create trigger address_added after insert on address
begin update meta set routing_revision = routing_revision + 1; end;
create trigger address_changed after update on address
begin update meta set routing_revision = routing_revision + 1; end;
create trigger address_removed after delete on address
begin update meta set routing_revision = routing_revision + 1; end;
create trigger alias_added after insert on alias
begin update meta set routing_revision = routing_revision + 1; end;
create trigger alias_changed after update on alias
begin update meta set routing_revision = routing_revision + 1; end;
create trigger alias_removed after delete on alias
begin update meta set routing_revision = routing_revision + 1; end;
create trigger account_route_changed after update of login, maildir, quota_octets on account
begin update meta set routing_revision = routing_revision + 1, login_revision = login_revision + 1; end;

create trigger account_added after insert on account
begin update meta set login_revision = login_revision + 1; end;
create trigger account_login_changed after update of password_version, apop_only, locked, expires_at on account
begin update meta set login_revision = login_revision + 1; end;
create trigger account_removed after delete on account
begin update meta set login_revision = login_revision + 1; end;
create trigger device_added after insert on device
begin update meta set login_revision = login_revision + 1; end;
create trigger device_changed after update on device
begin update meta set login_revision = login_revision + 1; end;
create trigger device_removed after delete on device
begin update meta set login_revision = login_revision + 1; end;
