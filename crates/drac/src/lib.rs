//! DRAC, the Dynamic Relay Authorization Control protocol: ONC RPC program 900101, versions 1 and 2.
