//! Files that say who may and who may not, as other mail servers write them.
