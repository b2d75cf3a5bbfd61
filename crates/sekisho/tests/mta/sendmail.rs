//! sendmail beside a demo.
