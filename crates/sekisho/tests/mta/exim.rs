//! Exim beside a demo.
