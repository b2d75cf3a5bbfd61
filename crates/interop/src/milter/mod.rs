//! sendmail's mail filter protocol, version 6.
