//! dracd and a real rpcbind.
