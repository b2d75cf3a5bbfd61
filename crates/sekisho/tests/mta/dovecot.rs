//! Dovecot beside a demo: its POP logins give the right to relay.
