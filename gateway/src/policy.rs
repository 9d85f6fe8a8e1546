//! Least privilege for the configured streams, as texts to paste.
//!
//! Pure: nothing is read here, and nobody is asked. In the order in which a request meets them: [`arn`]
//! (how accounts, streams, keys and principals are named), [`statement`] (which actions, said in this
//! one place), [`Request`], [`grant()`] (who is allowed what, or else the [`Fault`]s of the request), and
//! the same grant as JSON ([`Grant::json`]), as commands ([`script`]) or as [`terraform`].

pub use document::{Document, Principals, Statement};
pub use fault::Fault;
pub use grant::{Grant, NewStream, grant};
pub use request::{Holds, Request, Stream, Trusted, Whom};

pub mod arn;
mod document;
mod fault;
mod grant;
mod request;
pub mod script;
pub mod statement;
pub mod terraform;
#[cfg(test)]
mod tests;
