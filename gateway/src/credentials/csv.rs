//! The file that the console offers when an access key is created, as it is downloaded.
//!
//! Over the years it was `credentials.csv`, `new_user_credentials.csv` and `<user>_accessKeys.csv`,
//! with columns named in several spellings, with and without a user, in quotes, with a byte order
//! mark, with any line end. Columns are found by name; those that are no part of a key, a password
//! among them, are passed over.

use super::shape::{self, ID, Part, SECRET};
use super::text::{decode, folded};
use super::{Fault, Key};
use table::Row;

mod table;
#[cfg(test)]
mod tests;

/// The columns of the key, and of its user where there is one.
struct Columns {
    user: Option<usize>,
    id: usize,
    secret: usize,
    token: Option<usize>,
}

/// The key that `bytes` say; that of `user` if the file has keys of several.
///
/// # Errors
/// What is wrong with them, with line and column.
pub fn parse(bytes: &[u8], user: Option<&str>) -> Result<Key, Fault> {
    let rows = table::rows(decode(bytes)?)?;
    let (header, rows) = rows.split_first().ok_or(Fault::whole(NO_ROW))?;
    let columns = columns(header)?;
    let row = choose(rows, &columns, user)?;
    if row.cells.len() <= columns.id.max(columns.secret) {
        return Err(Fault::line(row.line, CUT_SHORT));
    }
    let part = |column: usize| Part { text: row.cell(column), line: row.line };
    shape::key(part(columns.id), part(columns.secret), columns.token.map(part))
}

const CUT_SHORT: &str = "has fewer columns than the first line: the file was cut short; download \
                         it again, or create another key";
const NO_ROW: &str = "has no line below the names of columns: the file was cut short; download it \
                      again, or create another key";

/// Where the parts of the key are, by the names in the first line.
fn columns(header: &Row<'_>) -> Result<Columns, Fault> {
    let names: Vec<_> = header.cells.iter().map(|cell| folded(cell)).collect();
    let position = |name: &str| names.iter().position(|there| there == name);
    let one = |name: &str, column: &'static str| match position(name) {
        Some(at) if names.iter().skip(at + 1).any(|there| there == name) => {
            Err(Fault::line(header.line, "is there twice").column(column))
        }
        Some(at) => Ok(at),
        None => Err(without(header, &names).column(column)),
    };
    Ok(Columns {
        id: one("accesskeyid", ID)?,
        secret: one("secretaccesskey", SECRET)?,
        user: position("username"),
        token: position("sessiontoken"),
    })
}

/// What the file is instead, whose first line lacks a column of the key.
fn without(header: &Row<'_>, names: &[String]) -> Fault {
    let has = |name: &str| names.iter().any(|there| there == name);
    let separated = |by: char| header.cells.iter().any(|cell| cell.contains(by));
    let what = if has("password") && !has("accesskeyid") {
        "is missing: this is the console password of a user and no access key; create an access \
         key under the user's security credentials"
    } else if separated(';') || separated('\t') {
        "is missing: columns are not separated by commas, a spreadsheet has saved this file; use \
         it as it was downloaded"
    } else if header.cells.iter().any(|cell| cell.contains('=')) {
        "is missing: these are settings and no table; use kind = \"static_file\""
    } else if header.cells.iter().any(|cell| cell.starts_with("AKIA") || cell.starts_with("ASIA")) {
        "is missing: the line with the names of the columns is gone; use the file as downloaded"
    } else {
        "is missing in the names of the columns: use the file that the console offers when an \
         access key is created"
    };
    Fault::line(header.line, what)
}

/// The row of the key.
fn choose<'r, 't>(
    rows: &'r [Row<'t>],
    columns: &Columns,
    user: Option<&str>,
) -> Result<&'r Row<'t>, Fault> {
    let first = rows.first().ok_or(Fault::whole(NO_ROW))?;
    let Some(user) = user else {
        let Some(second) = rows.get(1) else { return Ok(first) };
        let what = match columns.user {
            Some(_) => "is a second key: say whose is meant, with user = \"…\"",
            None => "is a second key: leave one of them in the file",
        };
        return Err(Fault::line(second.line, what));
    };
    let Some(column) = columns.user else {
        return Err(Fault::whole("names no users: take user away from the configuration"));
    };
    let mut of_user = rows.iter().filter(|row| row.cell(column) == user);
    let row = of_user
        .next()
        .ok_or(Fault::whole("has no key of the user that the configuration names"))?;
    match of_user.next() {
        None => Ok(row),
        Some(another) => {
            Err(Fault::line(another.line, "is a second key of this user: leave one of them"))
        }
    }
}
