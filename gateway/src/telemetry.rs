//! Logs: human on a terminal, JSON on demand. State changes are logged, the rest is counted; no
//! secret and no payload at info level.

use std::error::Error;

use tracing::{Level, Metadata, Span, info_span};
use tracing_subscriber::filter::filter_fn;
use tracing_subscriber::layer::{Layer, SubscriberExt};
use tracing_subscriber::util::SubscriberInitExt;
use tracing_subscriber::{EnvFilter, registry};

use crate::config;

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Starts logging to standard error. `RUST_LOG` chooses what; by default, `info`. Of what the AWS SDK
/// says, warnings at most: louder it tells the whole ids of keys, and then whole requests and answers.
pub fn init(format: LogFormat) {
    let asked = EnvFilter::try_from_default_env().unwrap_or_else(|_| {
        // What the libraries say, we say once and shorter.
        EnvFilter::new("info,rumqttc=error,aws=error,hyper=error")
    });
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = match format {
        LogFormat::Text => {
            let colours = std::io::IsTerminal::is_terminal(&std::io::stderr());
            lines.with_ansi(colours).with_target(false).boxed()
        }
        LogFormat::Json => lines.json().flatten_event(true).boxed(),
    };
    // A second start, in a test, keeps the first.
    drop(registry().with(asked).with(filter_fn(may_be_said)).with(lines).try_init());
}

fn may_be_said(metadata: &Metadata<'_>) -> bool {
    *metadata.level() <= Level::WARN || !metadata.target().starts_with("aws_")
}

/// Tells lines of this stream apart from those of others, if there may be some.
#[must_use]
pub fn of_stream(stream: &config::Stream) -> Span {
    match stream.is_apart {
        true => info_span!("stream", label = stream.label),
        false => Span::none(),
    }
}

/// An error with its causes, in one line, none said twice.
#[must_use]
pub fn causes(error: &dyn Error) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(inner) = cause {
        let said = inner.to_string();
        if !text.contains(&said) {
            text.push_str(": ");
            text.push_str(&said);
        }
        cause = inner.source();
    }
    text
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs;
    use std::path::PathBuf;
    use std::sync::{Arc, LazyLock};

    use tempfile::NamedTempFile;
    use tracing::Dispatch;
    use tracing::subscriber::{DefaultGuard, set_default};
    use tracing_subscriber::registry;

    /// While there is but one subscriber, what the log never said before is asked of the thread that
    /// says it first, for all: another test's, which has none.
    static ANOTHER: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(registry()));

    /// What this thread logs, until this is dropped.
    pub(crate) struct Log {
        file: NamedTempFile,
        _ends: DefaultGuard,
    }

    impl Log {
        pub(crate) fn begin() -> Self {
            LazyLock::force(&ANOTHER);
            let file = NamedTempFile::new().unwrap();
            let writer = Arc::new(file.reopen().unwrap());
            let to_file = tracing_subscriber::fmt().with_ansi(false).with_writer(writer).finish();
            Self { file, _ends: set_default(to_file) }
        }

        pub(crate) fn path(&self) -> PathBuf {
            self.file.path().to_owned()
        }

        /// What it is so far.
        pub(crate) fn text(&self) -> String {
            fs::read_to_string(self.file.path()).unwrap()
        }
    }

    /// What the log says during `act`.
    pub(crate) fn log_of(act: impl FnOnce()) -> String {
        let log = Log::begin();
        act();
        log.text()
    }
}
