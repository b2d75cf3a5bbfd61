//! Conversations with mail servers, octet by octet.
