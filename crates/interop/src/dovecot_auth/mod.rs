//! Dovecot's authentication protocol (client to server, version 1), the server's side.
