-- A domain that is switched off for a while: its mail is to come later.
alter table domain add column is_off integer not null default 0;
