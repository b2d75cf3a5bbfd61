//! Postfix's policy delegation protocol.
