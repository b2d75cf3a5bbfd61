//! The socketmap protocol of sendmail and Postfix: netstrings that ask a named map for a key.
