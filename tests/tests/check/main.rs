//! `tidegate check` as a program, between a real broker and a local stream with its account.

mod account;
mod broker;
mod disk;
mod handover;
mod peculiar;
mod renamed;
mod report;
mod speed;
mod streams;
mod way;
mod world;
