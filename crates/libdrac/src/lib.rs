//! `libdrac`: the C library that POP and IMAP servers link to tell a DRAC server of a login.
