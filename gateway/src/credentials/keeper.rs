//! Which key is in use, when to ask its source again, and what is worth saying.
//!
//! A machine without clock, files or tasks. Around it somebody asks the source when a load is
//! [due](Keeper::due), tells what came of it and how calls fared, and hands out the key whenever a
//! step [swapped](Step::swapped) it.
//!
//! AWS takes seconds to know a new key everywhere, and the old one may be revoked at any time, so two
//! keys overlap: the newest and the one that was in use before. The newest is used. While it is
//! refused and the other one is not, the other one is, and the newest is tried again now and then.
//! When both are refused, the newest stays, and the source is asked again, slowly, for ever.

use std::mem;
use std::time::{Duration, Instant};

use crate::backoff::Backoff;

use super::Key;

use candidate::{Candidate, Standing};

mod candidate;
#[cfg(test)]
mod tests;

/// The source is asked at most so often, however often a file changes.
const LOADS_APART_MIN: Duration = Duration::from_millis(250);

/// First and longest pause before the source is asked again after it gave no key, or one that is
/// refused. The longest is how long a gateway may not notice that all is well again.
const ASK_AGAIN: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));

/// First and longest pause before a new key that was refused is tried again while the old one is
/// good: each time a few calls are refused and made again.
const TRY_AGAIN: (Duration, Duration) = (Duration::from_secs(5), Duration::from_secs(60));

/// How long the old key is kept after the new one has been accepted: so long AWS may still refuse
/// it here and there.
const OVERLAP: Duration = Duration::from_secs(60);

/// A key that expires is replaced so long before, or a fifth of its life if that is more, but at
/// most half of it: calls that wait in line are signed with it, too.
const REFRESH_BEFORE: Duration = Duration::from_secs(300);

/// So many keys that are refused one after the other, of a source that nobody changed, say what becomes
/// of the next: it lends another session each time, and what they lack is no key.
const REFUSED_IN_A_ROW: u32 = 2;

/// Counts the changes of the key in use. Calls that were signed with an earlier one are told by it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Generation(u64);

/// What is due next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Due {
    /// Ask the source: [`Keeper::load_begins`], and then [`Keeper::loaded`] or [`Keeper::failed`].
    Load,
    /// [`Keeper::try_newest`].
    TryNewest,
}

/// What came of an event.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
#[must_use]
pub struct Step {
    /// Another key is in use: hand it out.
    pub swapped: bool,
    /// Something to say, once.
    pub tell: Option<Tell>,
}

/// What is worth a line in the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tell {
    /// The source gives no key, for this reason; what is in use stays in use.
    NoKey(String),
    /// The source gives a key again.
    KeyAgain,
    /// The new key is refused; the old one is used meanwhile.
    NewRefused,
    /// No key is accepted. Everything waits for a good one.
    AllRefused,
    /// The key in use is accepted again.
    Accepted,
}

/// Keys of one source.
#[derive(Debug, Default)]
pub struct Keeper {
    generation: Generation,
    /// What the source gave last.
    newest: Option<Candidate>,
    /// What was in use before, as long as it may be needed.
    previous: Option<Candidate>,
    /// Whether the previous key is in use.
    fallen_back: bool,
    /// When to ask the source; `None` when nothing asks for it.
    load_at: Option<Instant>,
    /// When it was asked last.
    asked_at: Option<Instant>,
    /// When to try the newest key again, while fallen back.
    try_at: Option<Instant>,
    failures: Failures,
}

/// What went wrong in a row, and what of it was told.
#[derive(Debug, Default)]
struct Failures {
    /// Loads that gave no key.
    loads: u32,
    /// Why the last one did not.
    told: Option<String>,
    /// Times that every key was refused, or that the source gave nothing else, since one was accepted.
    stuck: u32,
    /// Keys that were refused while there was no other, since one was accepted.
    refused: u32,
    /// Times that the newest key was refused while the previous one was good.
    tries: u32,
    /// Whether it was told that a new key is refused, and that all are, since one was accepted.
    new_refused_told: bool,
    all_refused_told: bool,
}

impl Failures {
    fn be_patient(&mut self) {
        (self.stuck, self.refused, self.tries) = (0, 0, 0);
    }
}

impl Keeper {
    /// Without a key: a load is due at `now`.
    #[must_use]
    pub fn new(now: Instant) -> Self {
        Self { load_at: Some(now), ..Self::default() }
    }

    /// With a key that is used until somebody gives another one.
    #[must_use]
    pub fn holding(key: Key) -> Self {
        Self { newest: Some(Candidate::new(key)), ..Self::default() }
    }

    /// The key in use, if there is one, and its generation.
    #[must_use]
    pub fn current(&self) -> Option<(&Key, Generation)> {
        self.in_use().map(|candidate| (&candidate.key, self.generation))
    }

    /// Why the source gave no key when it was asked last, if it gave none.
    #[must_use]
    pub fn why_not(&self) -> Option<&str> {
        self.failures.told.as_deref()
    }

    /// Whether the key in use may fare better than those before it. Nobody waits for one that does not.
    #[must_use]
    pub fn is_promising(&self) -> bool {
        self.failures.refused < REFUSED_IN_A_ROW
    }

    /// What is due next, and when; `None` when nothing is before the next event.
    #[must_use]
    pub fn due(&self) -> Option<(Instant, Due)> {
        let load = self.load_at.map(|at| {
            let earliest = self.asked_at.map_or(at, |last| last + LOADS_APART_MIN);
            (at.max(earliest), Due::Load)
        });
        let retry = self.try_at.map(|at| (at, Due::TryNewest));
        load.into_iter().chain(retry).min_by_key(|(at, _)| *at)
    }

    /// The source may give another key now, and it is no session like the last one: patience begins
    /// anew.
    pub fn changed(&mut self, now: Instant) {
        self.failures.be_patient();
        self.load_by(now);
    }

    /// The source is asked from now on. What changes meanwhile makes another load due.
    pub fn load_begins(&mut self, now: Instant) {
        self.asked_at = Some(now);
        self.load_at = None;
    }

    /// The source gave a key. `random`, in `0.0..1.0`, keeps a fleet from refreshing together.
    pub fn loaded(&mut self, key: Key, now: Instant, random: f64) -> Step {
        if let Some(good_for) = key.good_for {
            self.load_by(now + refresh_after(good_for, random));
        }
        self.failures.loads = 0;
        let tell = self.failures.told.take().map(|_| Tell::KeyAgain);
        let swapped = self.take(key);
        if self.is_stuck() {
            // What was refused is still all there is.
            self.ask_again(now, random);
        }
        Step { swapped, tell }
    }

    /// The source gave no key, because of `why`, which is told when it is another reason than last
    /// time: another time of day or another number in it is not.
    pub fn failed(&mut self, why: &str, now: Instant, random: f64) -> Step {
        self.failures.loads = self.failures.loads.saturating_add(1);
        self.load_by(now + Backoff::new(ASK_AGAIN).pause(self.failures.loads, random));
        let is_new = self.failures.told.as_deref().map(without_digits) != Some(without_digits(why));
        let tell = is_new.then(|| Tell::NoKey(why.to_owned()));
        self.failures.told = Some(why.to_owned());
        Step { swapped: false, tell }
    }

    /// A call that was signed in `generation` was refused because of its key. Of a generation that
    /// is past it says nothing: the call is made again with the key in use.
    pub fn refused(&mut self, generation: Generation, now: Instant, random: f64) -> Step {
        if generation != self.generation {
            return Step::default();
        }
        let Some(candidate) = self.in_use_mut() else { return Step::default() };
        let before = mem::replace(&mut candidate.standing, Standing::Refused);
        if before == Standing::Refused {
            // Other calls were under way.
            return Step::default();
        }
        if !self.fallen_back && self.previous.is_some() {
            return self.fall_back(now, random);
        }
        // The old key is gone for good. The new one was refused before, and may be known by now.
        let swapped = self.fallen_back;
        if swapped {
            self.previous = None;
            self.use_newest();
        }
        self.failures.refused = self.failures.refused.saturating_add(1);
        self.ask_again(now, random);
        let was_told = mem::replace(&mut self.failures.all_refused_told, true);
        Step { swapped, tell: (!was_told).then_some(Tell::AllRefused) }
    }

    /// A call that was signed in `generation` was accepted, as far as its key goes.
    pub fn accepted(&mut self, generation: Generation, now: Instant) -> Step {
        if generation != self.generation {
            return Step::default();
        }
        let fallen_back = self.fallen_back;
        let Some(candidate) = self.in_use_mut() else { return Step::default() };
        let since = candidate.accepted(now);
        let is_settled = now.saturating_duration_since(since) >= OVERLAP;
        if fallen_back || (self.previous.is_some() && !is_settled) {
            return Step::default();
        }
        self.previous = None;
        self.failures.be_patient();
        let new_told = mem::take(&mut self.failures.new_refused_told);
        let all_told = mem::take(&mut self.failures.all_refused_told);
        Step { swapped: false, tell: (new_told || all_told).then_some(Tell::Accepted) }
    }

    /// Uses the newest key again, which was refused.
    pub fn try_newest(&mut self) -> Step {
        self.use_newest();
        if let Some(newest) = &mut self.newest {
            newest.standing = Standing::Untried;
        }
        Step { swapped: true, tell: None }
    }

    fn in_use(&self) -> Option<&Candidate> {
        if self.fallen_back { self.previous.as_ref() } else { self.newest.as_ref() }
    }

    fn in_use_mut(&mut self) -> Option<&mut Candidate> {
        if self.fallen_back { self.previous.as_mut() } else { self.newest.as_mut() }
    }

    /// Whether the key in use is refused, and no other is left.
    fn is_stuck(&self) -> bool {
        self.in_use().is_some_and(|candidate| candidate.standing == Standing::Refused)
    }

    /// Takes what the source gave; whether another key is in use by that.
    fn take(&mut self, key: Key) -> bool {
        if self.newest.as_ref().is_some_and(|newest| newest.key.is_same(&key)) {
            return false;
        }
        if self.fallen_back && self.previous.as_ref().is_some_and(|old| old.key.is_same(&key)) {
            // The source went back to what is in use.
            self.newest = self.previous.take();
            self.fallen_back = false;
            self.try_at = None;
            return false;
        }
        let known = [self.newest.take(), self.previous.take()];
        self.previous = Candidate::best(known);
        self.newest = Some(Candidate::new(key));
        self.use_newest();
        true
    }

    fn use_newest(&mut self) {
        self.fallen_back = false;
        self.try_at = None;
        self.generation.0 += 1;
    }

    /// Uses the previous key, which is good as far as we know.
    fn fall_back(&mut self, now: Instant, random: f64) -> Step {
        self.fallen_back = true;
        self.generation.0 += 1;
        self.failures.tries = self.failures.tries.saturating_add(1);
        let try_at = now + Backoff::new(TRY_AGAIN).pause(self.failures.tries, random);
        self.try_at = Some(try_at);
        // By then the source may give another one.
        self.load_by(try_at);
        let was_told = mem::replace(&mut self.failures.new_refused_told, true);
        Step { swapped: true, tell: (!was_told).then_some(Tell::NewRefused) }
    }

    /// No key is left that is not refused: the source is asked again, ever more slowly, also if it
    /// gives another one each time, as one does that lends sessions.
    fn ask_again(&mut self, now: Instant, random: f64) {
        self.failures.stuck = self.failures.stuck.saturating_add(1);
        self.load_by(now + Backoff::new(ASK_AGAIN).pause(self.failures.stuck, random));
    }

    /// Brings the next load forward to `at`, if it is due later.
    fn load_by(&mut self, at: Instant) {
        self.load_at = Some(self.load_at.map_or(at, |due| due.min(at)));
    }
}

fn without_digits(text: &str) -> String {
    text.chars().filter(|letter| !letter.is_ascii_digit()).collect()
}

/// How long after it was had a key that is good for so long is replaced: up to a tenth sooner by
/// chance.
fn refresh_after(good_for: Duration, random: f64) -> Duration {
    let before = REFRESH_BEFORE.max(good_for / 5).min(good_for / 2);
    let after = (good_for - before).mul_f64(1.0 - 0.1 * random.clamp(0.0, 1.0));
    after.max(ASK_AGAIN.0)
}
