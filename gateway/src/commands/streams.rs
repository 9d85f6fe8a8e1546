//! The streams of a configuration, connected.

use std::convert::Infallible;

use anyhow::{Context, Result};
use futures_util::future::select_all;
use tracing::Instrument;

use crate::clock::now;
use crate::config::Config;
use crate::credentials::Source;
use crate::credentials::keys::Keys;
use crate::deliver::kinesis::{KeySources, Kinesis};
use crate::telemetry::of_stream;

/// Every stream with a client of its own, and the keys that sign its calls. At least one.
pub(super) struct Connected<'c> {
    config: &'c Config,
    pub(super) kinesis: Vec<Kinesis>,
    keys: Vec<(Keys, KeySources)>,
}

impl<'c> Connected<'c> {
    /// Clients. Nothing is sent yet.
    ///
    /// # Errors
    /// When the authorities to trust, or the password of a proxy, cannot be read.
    pub(super) async fn of(config: &'c Config) -> Result<Self> {
        let (mut kinesis, mut keys) = (Vec::new(), Vec::new());
        for stream in config.streams.iter() {
            let source = KeySources::new(stream);
            let of_stream = Keys::from(source.name(), now());
            let connected = Kinesis::connect(stream, of_stream.clone()).await;
            kinesis.push(connected.with_context(|| stream.called())?);
            keys.push((of_stream, source));
        }
        Ok(Self { config, kinesis, keys })
    }

    /// Sees to it that there are good keys, each stream's for itself.
    pub(super) async fn keep_keys(&self) -> Infallible {
        let kept =
            self.keys.iter().zip(self.config.streams.iter()).map(|((keys, source), stream)| {
                Box::pin(keys.keep(source).instrument(of_stream(stream)))
            });
        select_all(kept).await.0
    }
}
