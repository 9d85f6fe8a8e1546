//! Two streams of two owners, each with its key: what troubles one holds back nothing of the other.

mod kills;
mod routes;
mod world;
