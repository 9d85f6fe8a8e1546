//! The clock of this machine against that of the service.

use crate::check::step::Finding;

/// A signature is refused when it is made five minutes off; before that it is worth a warning.
const SKEW_S_MAX: u64 = 4 * 60;

const MINUTE_S: u64 = 60;
const HOUR_S: u64 = 60 * MINUTE_S;
const DAY_S: u64 = 24 * HOUR_S;

/// `behind_s`: by how many seconds this machine is behind the service, if the service told its time.
pub(in crate::check) fn clock(behind_s: Option<i64>) -> Finding {
    let Some(behind_s) = behind_s else {
        return Finding::skipped("no answer told the time of the service");
    };
    let off_s = behind_s.unsigned_abs();
    if off_s <= SKEW_S_MAX {
        return Finding::ok(format!("within {} s of the service", off_s.max(1)));
    }
    let way = if behind_s > 0 { "behind" } else { "ahead of" };
    let said = format!("this machine is {} {way} the service", span(off_s));
    let fix = "set the clock (timedatectl set-ntp true): signatures are corrected by the service's \
               answers, but the times of records, certificates and sessions are not";
    Finding::warning(said, fix)
}

/// For people, in the largest unit of which there is one; rounded down.
fn span(seconds: u64) -> String {
    let units = [("days", DAY_S), ("hours", HOUR_S)];
    let fits = units.into_iter().find(|(_, unit)| seconds >= 2 * unit);
    let (name, unit) = fits.unwrap_or(("minutes", MINUTE_S));
    format!("{} {name}", seconds / unit)
}

#[cfg(test)]
mod tests {
    use super::super::State;
    use super::*;

    #[test]
    fn four_minutes_are_tolerated_and_more_is_a_warning_with_its_span_and_way() {
        for behind_s in [0, 240, -240] {
            assert_eq!(clock(Some(behind_s)).state, State::Ok);
        }
        let said = |behind_s| {
            let finding = clock(Some(behind_s));
            assert_eq!(finding.state, State::Warning);
            finding.said
        };
        assert_eq!(said(241), "this machine is 4 minutes behind the service");
        assert_eq!(said(-7_200), "this machine is 2 hours ahead of the service");
        assert_eq!(said(-864_003), "this machine is 10 days ahead of the service");
        assert_eq!(clock(None).state, State::Skipped);
    }
}
