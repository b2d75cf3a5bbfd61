//! Dovecot's authentication policy: what its reports say, and what is answered.
