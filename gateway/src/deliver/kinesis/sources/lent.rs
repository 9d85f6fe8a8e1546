//! A key that the SDK had from somewhere, or why it had none.

use std::error::Error;
use std::io;
use std::time::{Duration, SystemTime};

use aws_credential_types::Credentials;
use aws_credential_types::provider::ProvideCredentials;
use aws_credential_types::provider::error::CredentialsError;
use jiff::Timestamp;
use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::credentials::disk::Disk;
use crate::credentials::{Key, KeyId};
use crate::hearsay::repeatable;
use crate::telemetry::causes;

use super::wall_clock;

/// How much later than a question itself the thread that asks it is given up.
const GRACE: Duration = Duration::from_secs(1);

/// How long a key that ends is taken to be good at least and at most. When it ends is said by a clock
/// that may not be ours: ours may be days off. Instance metadata gives a new key five minutes before
/// the old one ends, and asking costs nothing.
const GOOD_FOR: (Duration, Duration) = (Duration::from_secs(300), Duration::from_secs(3_600));

/// The key that a provider of the SDK's gives within `limit`. In the midst of asking a service it
/// reads files, of tokens and of profiles, as if no disk ever hung; so all of it is done where `disk`
/// is waited for.
///
/// # Errors
/// Its own, and when it takes too long.
pub(super) async fn ask(
    disk: &Disk,
    provider: impl ProvideCredentials + 'static,
    limit: Duration,
) -> Result<Key, CredentialsError> {
    // Longer than its own, which says better who did not answer.
    let asked = disk.within(limit + GRACE, move || {
        // It must go on while that of the gateway does other things, and not hold up its end.
        let runtime = Builder::new_current_thread().enable_all().build()?;
        let asked = async { timeout(limit, provider.provide_credentials()).await };
        let late = |_elapsed| CredentialsError::provider_timed_out(limit);
        let answer = runtime.block_on(asked).map_err(late).flatten();
        runtime.shutdown_background();
        io::Result::Ok(answer)
    });
    let answer = asked.await.unwrap_or_else(|late| Err(CredentialsError::provider_error(late)))?;
    Ok(key(&answer, wall_clock()))
}

/// The key of `credentials` as they stand at `now`. Without the id of the account: with it the SDK
/// would call a host of that account's own, another one than with a key from a file.
fn key(credentials: &Credentials, now: Timestamp) -> Key {
    Key {
        id: KeyId::new(credentials.access_key_id()),
        secret: credentials.secret_access_key().into(),
        token: credentials.session_token().map(Into::into),
        good_for: credentials.expiry().map(|end| good_for(end, now)),
    }
}

fn good_for(end: SystemTime, now: Timestamp) -> Duration {
    let (least, most) = GOOD_FOR;
    let left = end.duration_since(SystemTime::from(now)).unwrap_or_default();
    left.clamp(least, most)
}

/// What the SDK says of why it had none. Some of its errors repeat the answer that they are about.
pub(super) fn why_not(error: &CredentialsError) -> String {
    // The outermost only says that there is a reason.
    let text = error.source().map_or_else(|| error.to_string(), causes);
    repeatable(text.split(". Response {").next().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use std::sync::{Mutex, mpsc};

    use aws_credential_types::provider::future::ProvideCredentials as ProviderFuture;

    use super::*;

    /// The SDK, when the file that it reads is on a disk that hangs.
    #[derive(Debug)]
    struct Hangs(Mutex<mpsc::Receiver<()>>);

    impl ProvideCredentials for Hangs {
        fn provide_credentials<'a>(&'a self) -> ProviderFuture<'a>
        where
            Self: 'a,
        {
            let gone = self.0.lock().unwrap().recv_timeout(Duration::from_secs(10));
            ProviderFuture::ready(Err(CredentialsError::not_loaded(format!("{gone:?}"))))
        }
    }

    #[tokio::test]
    async fn the_sdk_may_wait_for_a_disk_and_nobody_else_does() {
        let (answer, hangs) = mpsc::channel::<()>();
        let asked = ask(&Disk::default(), Hangs(hangs.into()), Duration::ZERO).await;
        let why = causes(&asked.unwrap_err());
        assert!(why.contains("the disk did not answer within 1 s"), "{why}");
        drop(answer);
    }

    #[test]
    fn an_answer_is_not_repeated() {
        let text = "error response from IMDS (code: 500). Response { body: \"secret\" }";
        let said = why_not(&CredentialsError::provider_error(text));
        assert_eq!(said, "error response from IMDS (code: 500)");
        let late = CredentialsError::provider_timed_out(Duration::from_secs(6));
        assert_eq!(why_not(&late), "credentials provider timed out after 6 seconds");
    }

    #[test]
    fn the_end_of_a_key_is_believed_within_bounds() {
        let now = Timestamp::UNIX_EPOCH + Duration::from_secs(1_000_000);
        let good_for = |left: i64| {
            let end = SystemTime::from(now + jiff::SignedDuration::from_secs(left));
            let credentials = Credentials::new("id", "secret", None, Some(end), "test");
            key(&credentials, now).good_for.map(|good_for| good_for.as_secs())
        };
        assert_eq!(good_for(900), Some(900));
        assert_eq!(good_for(-864_000), Some(300), "the clock is ten days ahead");
        assert_eq!(good_for(864_000), Some(3_600), "the clock is ten days late");
        let for_ever = Credentials::new("id", "secret", None, None, "test");
        assert_eq!(key(&for_ever, now).good_for, None);
    }

    #[test]
    fn the_account_of_a_key_is_forgotten() {
        let credentials = Credentials::builder()
            .access_key_id("id")
            .secret_access_key("secret")
            .account_id("123456789012")
            .provider_name("test");
        let key = key(&credentials.build(), Timestamp::UNIX_EPOCH);
        assert!(!format!("{key:?}").contains("123456789012"));
    }
}
