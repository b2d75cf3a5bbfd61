//! Postfix beside a demo.
