//! Berkeley DB files, btree and hash, read and written whole.
