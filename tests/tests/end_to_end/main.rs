//! The whole path, part by part as processes: mosquitto, the gateway, a stream.

mod world;

mod commands;
mod configuration;
mod crashes;
mod dead_letters;
mod directories;
mod doors;
mod golden;
mod key_sources;
mod kills;
mod metrics;
mod moto;
mod network;
mod order;
mod outages;
mod payloads;
mod plans;
mod rotation;
mod secrets;
mod shards;
mod spool;
mod stops;
mod streams;
mod subscriptions;
mod two_streams;
