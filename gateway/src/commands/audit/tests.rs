//! What makes an audit fail, and what it says then.

use std::fs;

use crate::books::{Spooled, Stop};
use crate::metrics::{Beside, Conservation};

use super::*;

const NOTHING: Found = Found { spooled: 0, letters: 0, letters_of_records: 0 };

/// Books of one run that is over: 200 records came, of which 150 were delivered and `dead_lettered`
/// became letters; the rest is in the spool.
fn books(dead_lettered: u64) -> Books {
    let spooled = 50 - dead_lettered;
    let mut books = Books::new(0, 0, 0);
    books.begin(0, Spooled { taken: 0, left: Some(0) }, 1_000);
    let ledger = Conservation {
        received: 200,
        delivered: 150,
        dead_lettered,
        spooled,
        ..Conservation::default()
    };
    books.end(ledger, Beside::default(), Stop::Clean);
    books
}

/// Whether it balances, and the last line of what it says.
fn verdict(books: Books, found: Found) -> (bool, String) {
    let audit = Audit::of(books, false, found);
    let mut said = Vec::new();
    audit.write(&mut said).unwrap();
    let said = String::from_utf8(said).unwrap();
    (audit.balances(), said.lines().last().unwrap().to_owned())
}

#[test]
fn what_does_not_agree_is_named_and_a_balance_that_holds_is_not_blamed() {
    let said = verdict(books(0), Found { spooled: 50, ..NOTHING });
    assert_eq!(said, (true, "it balances".to_owned()));
    let (balances, said) = verdict(books(0), Found { spooled: 30, ..NOTHING });
    assert!(!balances);
    assert!(said.ends_with("the books expect 50 records, and there are 30"), "{said}");
    let (balances, said) = verdict(books(50), Found { letters: 51, ..NOTHING });
    assert!(!balances);
    assert!(said.ends_with("more than were ever written"), "{said}");
    let mut vanished = books(0);
    vanished.find(40);
    let (balances, said) = verdict(vanished, Found { spooled: 40, ..NOTHING });
    assert!(!balances);
    assert!(said.ends_with("10 records vanished between two runs"), "{said}");
    let mut wrong = books(0);
    wrong.opening = 7;
    let (balances, said) = verdict(wrong, Found { spooled: 50, ..NOTHING });
    assert_eq!((balances, said.as_str()), (false, "IT DOES NOT BALANCE: 207 came, 200 went"));
}

#[test]
fn letters_that_a_replay_made_of_one_are_no_fault() {
    // One letter of five readings, each of which the stream refused.
    let found = Found { letters: 5, letters_of_records: 5, spooled: 49 };
    assert!(verdict(books(1), found).0);
    // And what made room for the next counts them all.
    let mut made_room = books(20);
    made_room.beside.dead_letters_dropped = 10;
    assert!(verdict(made_room, Found { letters: 18, letters_of_records: 0, spooled: 30 }).0);
}

#[test]
fn letters_are_counted_and_no_files_of_others() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(letters(&dir.path().join("none")).unwrap(), (0, 0));
    let of_record =
        r#"{"at":1,"reason":"refused_by_stream","detail":"","key":"k","bytes":1,"payload":"x"}"#;
    let of_publish =
        r#"{"at":1,"reason":"not_json","detail":"","topic":"t","bytes":1,"payload":"x"}"#;
    let text = format!("{of_record}\n{of_publish}\n{of_record}\n{{\"at");
    fs::write(dir.path().join("dead-letters-000001.ndjson"), text).unwrap();
    for foreign in ["mine.ndjson", "dead-letters-1.ndjson", "lock"] {
        fs::write(dir.path().join(foreign), "{}\n{}\n").unwrap();
    }
    assert_eq!(letters(dir.path()).unwrap(), (4, 2));
}
