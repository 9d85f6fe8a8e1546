//! When the books are written, and what they allow for meanwhile.

use std::fs;

use tempfile::TempDir;

use crate::telemetry::tests::log_of;

use super::*;

const NOTHING: Spooled = Spooled { taken: 0, left: Some(0) };

#[expect(clippy::disallowed_methods, reason = "where the made-up time begins")]
fn start() -> Instant {
    Instant::now()
}

fn open(dir: &TempDir, at: Instant) -> Bookkeeping {
    Bookkeeping::open(dir.path(), NOTHING, || Ok(0), at, 0)
}

fn received(received: u64) -> Conservation {
    Conservation { received, delivered: received, ..Conservation::default() }
}

fn moment(records: u64) -> Moment {
    Moment { unix_ms: 0, ledger: received(records), beside: Beside::default() }
}

async fn checkpoint(books: &mut Bookkeeping, at: Instant, records: u64) {
    books.start(at, moment(records), records);
    let written = books.written().await;
    books.finish(written, at);
}

fn on_disk(dir: &TempDir) -> Books {
    LedgerFile::new(dir.path()).read().unwrap()
}

#[tokio::test]
async fn nothing_is_written_while_nothing_happens_and_once_a_minute_otherwise() {
    let (dir, at) = (tempfile::tempdir().unwrap(), start());
    let mut books = open(&dir, at);
    assert!(on_disk(&dir).running.is_some(), "the start is on disk");
    let later = at + BOOKS_EVERY;
    assert!(!books.is_due(later, 0, &received(0)));
    assert!(!books.is_due(later - Duration::from_secs(1), 5, &received(5)));
    assert!(books.is_due(later, 5, &received(5)));
    checkpoint(&mut books, later, 5).await;
    assert_eq!(on_disk(&dir).running.unwrap().ledger, received(5));
    assert!(!books.is_due(later + BOOKS_EVERY, 5, &received(5)));
}

#[tokio::test]
async fn no_more_is_received_than_the_checkpoint_on_disk_allows_for() {
    let (dir, at) = (tempfile::tempdir().unwrap(), start());
    let mut books = open(&dir, at);
    for records in (0..50_000).step_by(100) {
        if books.is_due(at, records, &received(records)) {
            books.start(at, moment(records), records);
            // While it is being written, the one before holds.
            assert_eq!(books.covers(records + 300), allowed(&dir) >= records + 300);
            let written = books.written().await;
            books.finish(written, at);
        }
        assert!(books.covers(records) && records <= allowed(&dir), "{records}");
    }
    // What comes at once is waited for, and then there is room for it.
    assert!(!books.covers(1_000_000) && books.is_due(at, 1_000_000, &received(50_000)));
    books.start(at, moment(50_000), 1_000_000);
    let written = books.written().await;
    books.finish(written, at);
    assert!(books.covers(1_000_000) && allowed(&dir) >= 1_000_000);
}

/// How many records the books on disk allow for.
fn allowed(dir: &TempDir) -> u64 {
    let run = on_disk(dir).running.unwrap();
    run.ledger.received + run.headroom
}

#[tokio::test]
async fn a_busy_gateway_does_not_write_often_and_an_idle_one_has_little_headroom() {
    let (dir, mut at) = (tempfile::tempdir().unwrap(), start());
    let mut books = open(&dir, at);
    let mut written = 0;
    // 2,000 a second for ten minutes.
    for tenth in 1..=6_000_u64 {
        at += Duration::from_millis(100);
        if books.is_due(at, tenth * 200, &received(tenth * 200)) {
            checkpoint(&mut books, at, tenth * 200).await;
            written += 1;
        }
    }
    assert!((10..=20).contains(&written), "{written}");
    at += BOOKS_EVERY;
    checkpoint(&mut books, at, 1_200_010).await;
    at += BOOKS_EVERY;
    checkpoint(&mut books, at, 1_200_020).await;
    assert_eq!(on_disk(&dir).running.unwrap().headroom, BOOKS_HEADROOM_MIN);
}

#[tokio::test]
async fn books_that_cannot_be_written_hold_nobody_up_and_are_not_wrong() {
    let (dir, at) = (tempfile::tempdir().unwrap(), start());
    let mut books = open(&dir, at);
    let new = dir.path().join("ledger.json.new");
    fs::create_dir(&new).unwrap();
    checkpoint(&mut books, at, 900).await;
    assert!(on_disk(&dir).running.is_some() && books.covers(1_000), "what is there still holds");
    assert!(!books.is_due(at, 950, &received(950)), "not at once again");
    // What waits for them may be little, and nothing else may change while it waits.
    assert!(!books.covers(1_001) && books.is_due(at, 1_001, &received(900)));
    books.start(at, moment(900), 1_001);
    let written = books.written().await;
    books.finish(written, at);
    assert!(books.covers(1_000_000));
    let read = LedgerFile::new(dir.path()).read();
    assert!(matches!(read, Err(Unread::Missing(_))), "what it allows for is over: {read:?}");
    assert!(!books.is_due(at, 900_000, &received(900_000)), "not at once again");
    fs::remove_dir(new).unwrap();
    assert!(books.is_due(at + RETRY, 900_000, &received(900_000)));
    checkpoint(&mut books, at + RETRY, 900_000).await;
    assert!(books.covers(900_000) && allowed(&dir) >= 900_000);
    assert!(!books.covers(100_000_000), "they count again");
}

#[tokio::test]
async fn one_gateway_at_a_time_keeps_the_books() {
    let (dir, at) = (tempfile::tempdir().unwrap(), start());
    let first = open(&dir, at);
    let second = open(&dir, at);
    assert!(second.covers(u64::MAX) && !second.is_due(at + BOOKS_EVERY, 5, &received(5)));
    second.close(moment(9), Stop::Clean).await;
    first.close(moment(5), Stop::Clean).await;
    let books = on_disk(&dir);
    assert_eq!((books.terms.received.most, books.runs.clean, books.runs.crashed), (5, 1, 0));
}

#[test]
fn dead_letters_are_counted_for_new_books_alone() {
    let (dir, at) = (tempfile::tempdir().unwrap(), start());
    let open = |letters: fn() -> io::Result<u64>| {
        drop(Bookkeeping::open(dir.path(), NOTHING, letters, at, 0));
    };
    open(|| Ok(7));
    assert_eq!(on_disk(&dir).letters_before, 7);
    open(|| unreachable!("there are books"));
    assert_eq!(on_disk(&dir).letters_before, 7);
}

#[test]
fn dead_letters_that_cannot_be_counted_are_told_and_keep_nobody_from_running() {
    let (dir, at) = (tempfile::tempdir().unwrap(), start());
    let letters = || Err(io::Error::other("bad sector"));
    let log = log_of(|| drop(Bookkeeping::open(dir.path(), NOTHING, letters, at, 0)));
    assert!(log.contains("without the dead letters") && log.contains("bad sector"), "{log}");
    assert_eq!(on_disk(&dir).letters_before, 0);
}
