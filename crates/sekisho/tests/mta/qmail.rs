//! qmail-like servers beside a demo: tcpserver with mailfront, qpsmtpd.
