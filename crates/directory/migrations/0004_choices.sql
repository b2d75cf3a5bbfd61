-- Whose mail an account takes. What is decided by it is decided with the way of an address, so it counts as a change of that.
alter table account add column accept_only integer not null default 0;

create table choice (
  account_id integer not null references account (account_id) on delete cascade,
  sender text not null,                       -- user@domain, domain, .domain (subdomains alone) or <>; in lower case
  kind text not null check (kind in ('accept', 'refuse')),
  primary key (account_id, sender)
) strict, without rowid;

create trigger accept_only_changed after update of accept_only on account
begin update meta set routing_revision = routing_revision + 1; end;
create trigger choice_added after insert on choice
begin update meta set routing_revision = routing_revision + 1; end;
create trigger choice_changed after update on choice
begin update meta set routing_revision = routing_revision + 1; end;
create trigger choice_removed after delete on choice
begin update meta set routing_revision = routing_revision + 1; end;
