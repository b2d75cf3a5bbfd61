-- Whose an account is, for people who read a list of them.
alter table account add column name text not null default '';
