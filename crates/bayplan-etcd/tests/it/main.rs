//! The tests of `bayplan-etcd`, on real servers of etcd on loopback.

mod conformance;
mod faults;
mod feed;
mod mirroring;
mod server;
mod stores;
