//! The whole path, part by part as processes: mosquitto, the gateway, a stream.

mod world;

mod commands;
mod configuration;
mod crashes;
mod doors;
mod order;
mod payloads;
mod stops;
mod streams;
mod subscriptions;
