//! Lines of commands: one rule for line ends, in one place.
