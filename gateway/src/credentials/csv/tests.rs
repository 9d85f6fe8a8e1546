use proptest::prelude::*;
use secrecy::ExposeSecret;

use super::super::tests::{ID, SECRET};
use super::*;

fn said(text: &str, user: Option<&str>) -> String {
    parse(text.as_bytes(), user).map_or_else(|fault| fault.to_string(), |key| key.id.to_string())
}

#[track_caller]
fn is_read(text: &str, user: Option<&str>) {
    let key = parse(text.as_bytes(), user).unwrap_or_else(|fault| panic!("{fault} for\n{text}"));
    assert_eq!((key.id.whole(), key.secret.expose_secret()), (ID, SECRET));
}

/// Each with the line of the key below it.
fn headers() -> [(&'static str, String); 6] {
    let pair = format!("{ID},{SECRET}");
    [
        ("Access key ID,Secret access key", pair.clone()),
        ("User Name,Access Key Id,Secret Access Key", format!("\"bob\",{pair}")),
        ("User Name,Access key ID,Secret access key", format!("bob,{pair}")),
        (
            "User name,Password,Access key ID,Secret access key,Console login link",
            format!("bob,,{pair},https://123456789012.signin.aws.amazon.com/console"),
        ),
        ("\"Access key ID\",\"Secret access key\"", format!("\"{ID}\",\"{SECRET}\"")),
        ("secret_access_key , access-key-id", format!(" {SECRET} , {ID} ")),
    ]
}

#[test]
fn every_file_that_the_console_ever_offered_is_read() {
    for (header, row) in headers() {
        for mark in ["", "\u{feff}"] {
            for end in ["\n", "\r\n", "\r"] {
                is_read(&format!("{mark}{header}{end}{row}{end}"), None);
                is_read(&format!("{mark}{header}{end}{end}{row}"), None);
            }
        }
    }
}

#[test]
fn the_user_says_which_of_several_keys() {
    let other = ID.replace('F', "G");
    let text = format!(
        "User name,Access key ID,Secret access key\nann,{other},{SECRET}\n\"b \"\"o\"\" b\",{ID},{SECRET}"
    );
    is_read(&text, Some("b \"o\" b"));
    assert_eq!(said(&text, None), "line 3: is a second key: say whose is meant, with user = \"…\"");
    assert_eq!(said(&text, Some("eve")), "has no key of the user that the configuration names");
    let twice = format!("{text}\nann,{other},{SECRET}");
    assert_eq!(
        said(&twice, Some("ann")),
        "line 4: is a second key of this user: leave one of them"
    );
    let nameless = format!("Access key ID,Secret access key\n{ID},{SECRET}\n");
    assert!(said(&nameless, Some("bob")).starts_with("names no users"));
    assert_eq!(
        said(&format!("{nameless}{other},{SECRET}"), None),
        "line 3: is a second key: leave one of them in the file"
    );
}

#[test]
fn what_is_no_such_file_is_told_by_what_it_is() {
    let header = "Access key ID,Secret access key";
    for (text, fault) in [
        (String::new(), "is empty"),
        ("\u{feff}\r\n \n".to_owned(), "is empty"),
        (format!("AWSAccessKeyId={ID}\nAWSSecretKey={SECRET}"), "is a key of the account's root"),
        (
            "User name,Password,Console sign-in URL\nbob,hunter2,https://x".to_owned(),
            "line 1: Access key ID: is missing: this is the console password",
        ),
        (
            format!("Access key ID;Secret access key\n{ID};{SECRET}"),
            "line 1: Access key ID: is missing: columns are not separated by commas",
        ),
        (
            format!("Access key ID\tSecret access key\n{ID}\t{SECRET}"),
            "line 1: Access key ID: is missing: columns are not separated by commas",
        ),
        (
            format!("\"Access key ID;\"\"Secret access key\"\"\"\n\"{ID};\"\"{SECRET}\"\"\""),
            "line 1: Access key ID: is missing: columns are not separated by commas",
        ),
        (
            format!("aws_access_key_id = {ID}\naws_secret_access_key = {SECRET}"),
            "line 1: Access key ID: is missing: these are settings",
        ),
        (format!("{ID},{SECRET}"), "line 1: Access key ID: is missing: the line with the names"),
        ("a,b".to_owned(), "line 1: Access key ID: is missing in the names"),
        ("Access key ID,b\n".to_owned(), "line 1: Secret access key: is missing in the names"),
        (format!("{header},access_key_id\n"), "line 1: Access key ID: is there twice"),
        (header.to_owned(), "has no line below the names"),
        (format!("{header}\n{ID}"), "line 2: has fewer columns"),
        (format!("{header}\n{ID},"), "line 2: Secret access key: is empty"),
        (format!("{header}\n,{SECRET}"), "line 2: Access key ID: is empty"),
        (format!("{header}\n{SECRET},{ID}"), "line 2: Secret access key: looks like the id"),
        (format!("{header}\nbob,{SECRET}"), "line 2: Access key ID: is no id of an access key"),
        (format!("{header}\n{ID},a b"), "line 2: Secret access key: must be printable ASCII"),
        (format!("{header}\n{ID},\"a"), "line 2: has a quote without its pair"),
        (format!("{header}\n{ID},\"a\"b"), "line 2: has something between a quote"),
        (
            format!("{header}\n{},{SECRET}", ID.replace("AKIA", "ASIA")),
            "line 2: Access key ID: is of a temporary key (ASIA…)",
        ),
    ] {
        let said = said(&text, None);
        assert!(said.starts_with(fault), "{said} for\n{text}");
    }
    assert!(parse(b"\xff\xfeA\0", None).unwrap_err().to_string().starts_with("is UTF-16"));
    assert!(parse(b"A\0c\0", None).unwrap_err().to_string().starts_with("is UTF-16"));
    assert!(parse(b"\xe9", None).unwrap_err().to_string().starts_with("is no UTF-8"));
}

#[test]
fn a_file_that_was_cut_short_anywhere_makes_no_key_with_a_piece_of_the_secret() {
    for (header, row) in headers() {
        let whole = format!("{header}\r\n{row}\r\n");
        let secret_ends = whole.find(SECRET).unwrap() + SECRET.len();
        for end in (0..secret_ends).filter(|end| whole.is_char_boundary(*end)) {
            let Ok(key) = parse(&whole.as_bytes()[..end], None) else { continue };
            panic!("{end} characters make {key:?}");
        }
    }
}

proptest! {
    #[test]
    fn no_text_upsets_the_reader(bytes in any::<Vec<u8>>(), user in any::<Option<String>>()) {
        prop_assert!(parse(&bytes, user.as_deref()).is_err());
    }

    /// Whatever happens to the file on its way, the message repeats no 8 characters of the secret.
    #[test]
    fn no_message_holds_a_piece_of_the_secret(
        secret in "[A-Za-z0-9/+]{40}",
        which in 0..6_usize,
        edits in prop::collection::vec((any::<prop::sample::Index>(), "[,;\"'\r\n\t=A-Z \u{feff}]{0,3}"), 1..6),
        user in prop::option::of("[a-z]{1,3}"),
    ) {
        let (header, row) = &headers()[which];
        let mut text: Vec<char> = format!("{header}\n{}\n", row.replace(SECRET, &secret)).chars().collect();
        for (index, edit) in edits {
            let at = index.index(text.len());
            text.splice(at..=at, edit.chars());
        }
        let text: String = text.into_iter().collect();
        let message = match parse(text.as_bytes(), user.as_deref()) {
            Ok(key) => format!("{key:?}"),
            Err(fault) => format!("{fault} {fault:?}"),
        };
        for piece in secret.as_bytes().windows(8) {
            let piece = std::str::from_utf8(piece).unwrap();
            prop_assert!(!message.contains(piece), "{}", message);
        }
    }
}
