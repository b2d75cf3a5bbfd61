-- When a device logged in last, and where from. A table of its own: a change of it is no change of a login.
create table device_use (
  device_id integer primary key references device (device_id) on delete cascade,
  used_at integer not null,                   -- seconds since 1970
  used_from text not null                     -- the client's address
) strict;
