use super::super::tests::key;
use super::*;

mod courses;

/// A keeper, the time, and what it said.
struct World {
    keeper: Keeper,
    now: Instant,
}

impl World {
    fn new() -> Self {
        #[expect(clippy::disallowed_methods, reason = "an origin for times that are made up")]
        let now = Instant::now();
        Self { keeper: Keeper::new(now), now }
    }

    /// With the key of this number in use, and accepted.
    fn with(number: u64) -> Self {
        let mut world = Self::new();
        assert!(world.load(number).swapped);
        assert_eq!(world.accept(), Step::default());
        world
    }

    fn pass(&mut self, time: Duration) {
        self.now += time;
    }

    fn load(&mut self, number: u64) -> Step {
        self.keeper.load_begins(self.now);
        self.keeper.loaded(key(number), self.now, 1.0)
    }

    fn fail(&mut self, why: &str) -> Step {
        self.keeper.load_begins(self.now);
        self.keeper.failed(why, self.now, 1.0)
    }

    fn generation(&self) -> Generation {
        self.keeper.current().map(|(_, generation)| generation).unwrap_or_default()
    }

    fn refuse(&mut self) -> Step {
        self.keeper.refused(self.generation(), self.now, 1.0)
    }

    fn accept(&mut self) -> Step {
        self.keeper.accepted(self.generation(), self.now)
    }

    #[track_caller]
    fn uses(&self, number: u64) {
        let (in_use, _) = self.keeper.current().expect("a key");
        assert_eq!(in_use.id.whole(), key(number).id.whole());
    }

    /// What is due, and in how long.
    fn due(&self) -> Option<(Duration, Due)> {
        self.keeper.due().map(|(at, due)| (at.saturating_duration_since(self.now), due))
    }

    #[track_caller]
    fn pass_until(&mut self, what: Due) {
        let (wait, due) = self.due().expect("something is due");
        assert_eq!(due, what);
        self.pass(wait);
    }
}

fn step(swapped: bool, tell: Option<Tell>) -> Step {
    Step { swapped, tell }
}

const S: fn(u64) -> Duration = Duration::from_secs;

#[test]
fn the_first_key_is_asked_for_at_once_and_a_good_one_is_not_asked_for_again() {
    let mut world = World::new();
    assert_eq!(world.due(), Some((S(0), Due::Load)));
    assert!(world.keeper.current().is_none());
    assert_eq!(world.load(1), step(true, None));
    assert_eq!(world.accept(), step(false, None));
    world.uses(1);
    assert_eq!(world.due(), None);
}

#[test]
fn a_key_that_cannot_be_read_is_told_once_and_the_old_one_goes_on() {
    let mut world = World::with(1);
    world.keeper.changed(world.now);
    let mut pauses = vec![];
    for round in 0..7 {
        world.pass_until(Due::Load);
        let told = (round == 0).then(|| Tell::NoKey("line 1".to_owned()));
        assert_eq!(world.fail("line 1"), step(false, told));
        pauses.push(world.due().unwrap().0.as_secs());
        world.uses(1);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(world.fail("gone").tell, Some(Tell::NoKey("gone".to_owned())));
    assert_eq!(world.load(1), step(false, Some(Tell::KeyAgain)));
    assert_eq!(world.due(), None);
}

#[test]
fn a_refusal_that_differs_by_the_time_of_day_alone_is_told_once() {
    let mut world = World::with(1);
    let at = |time: &str| format!("Signature expired: 20261101T{time}Z is now earlier");
    assert!(world.fail(&at("100000")).tell.is_some());
    assert_eq!(world.fail(&at("100030")).tell, None);
    assert_eq!(world.keeper.why_not(), Some(&*at("100030")));
    assert!(world.fail("no connection").tell.is_some());
}

#[test]
fn a_change_during_a_load_makes_another_one_due() {
    let mut world = World::with(1);
    world.keeper.changed(world.now);
    world.pass_until(Due::Load);
    world.keeper.load_begins(world.now);
    assert_eq!(world.due(), None);
    world.pass(S(1));
    world.keeper.changed(world.now);
    assert_eq!(world.keeper.loaded(key(1), world.now, 1.0), Step::default());
    assert_eq!(world.due(), Some((S(0), Due::Load)));
    let _failed = world.fail("line 1");
    world.keeper.load_begins(world.now);
    world.keeper.changed(world.now);
    let _failed = world.keeper.failed("line 1", world.now, 1.0);
    assert_eq!(world.due(), Some((LOADS_APART_MIN, Due::Load)));
}

#[test]
fn a_refusal_of_an_earlier_generation_is_nothing() {
    let mut world = World::with(1);
    let old = world.generation();
    assert_eq!(world.load(2), step(true, None));
    assert_eq!(world.keeper.refused(old, world.now, 1.0), Step::default());
    assert_eq!(world.keeper.accepted(old, world.now), Step::default());
    world.uses(2);
    assert_eq!(world.due(), None);
}

#[test]
fn a_new_key_that_is_refused_gives_way_to_the_old_one_and_is_tried_again() {
    let mut world = World::with(1);
    assert!(world.load(2).swapped);
    assert_eq!(world.refuse(), step(true, Some(Tell::NewRefused)));
    world.uses(1);
    assert_eq!(world.accept(), Step::default());
    for wait in [5, 10, 20, 40, 60, 60] {
        // The source is asked first: it may have a better one.
        assert_eq!(world.due(), Some((S(wait), Due::Load)));
        world.pass_until(Due::Load);
        assert_eq!(world.load(2), Step::default());
        world.pass_until(Due::TryNewest);
        assert!(world.keeper.try_newest().swapped);
        world.uses(2);
        assert_eq!(world.refuse(), step(true, None), "told once");
        world.uses(1);
    }
    world.pass_until(Due::Load);
    assert_eq!(world.load(2), Step::default());
    assert!(world.keeper.try_newest().swapped);
    assert_eq!(world.accept(), step(false, None));
    world.pass(OVERLAP);
    assert_eq!(world.accept(), step(false, Some(Tell::Accepted)));
    world.uses(2);
    // The old one is forgotten by now.
    assert_eq!(world.refuse(), step(false, Some(Tell::AllRefused)));
    world.uses(2);
}

#[test]
fn an_old_key_that_is_revoked_meanwhile_leaves_the_new_one() {
    let mut world = World::with(1);
    assert!(world.load(2).swapped && world.refuse().swapped);
    assert_eq!(world.refuse(), step(true, Some(Tell::AllRefused)));
    world.uses(2);
    assert_eq!(world.refuse(), Step::default());
    assert_eq!(world.accept(), step(false, Some(Tell::Accepted)));
}

#[test]
fn what_is_refused_altogether_is_asked_for_again_ever_more_slowly_until_a_good_key_is_there() {
    let mut world = World::with(1);
    assert_eq!(world.refuse(), step(false, Some(Tell::AllRefused)));
    let mut pauses = vec![];
    for _ in 0..7 {
        pauses.push(world.due().unwrap().0.as_secs());
        world.pass_until(Due::Load);
        assert_eq!(world.load(1), Step::default());
        assert_eq!(world.refuse(), Step::default());
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    // A change of the file is not kept waiting.
    world.keeper.changed(world.now);
    assert_eq!(world.due(), Some((LOADS_APART_MIN, Due::Load)));
    assert_eq!(world.load(2), step(true, None));
    assert_eq!(world.accept(), step(false, Some(Tell::Accepted)));
    assert_eq!(world.due(), None);
}

#[test]
fn sessions_of_a_role_that_is_refused_are_asked_for_ever_more_slowly_too() {
    let mut world = World::with(1);
    let mut pauses = vec![];
    for session in 2..9 {
        let told = (session == 2).then_some(Tell::AllRefused);
        assert_eq!(world.refuse(), step(false, told));
        pauses.push(world.due().unwrap().0.as_secs());
        world.pass_until(Due::Load);
        assert_eq!(world.load(session), step(true, None));
    }
    assert_eq!(pauses, [1, 2, 4, 8, 16, 30, 30]);
    assert_eq!(world.accept(), step(false, Some(Tell::Accepted)));
    assert_eq!(world.refuse(), step(false, Some(Tell::AllRefused)));
    assert_eq!(world.due(), Some((S(1), Due::Load)));
}

#[test]
fn a_third_session_in_a_row_promises_nothing_until_the_source_changes_or_one_is_accepted() {
    let mut world = World::with(1);
    for (session, is_promising) in [(2, true), (3, false), (4, false)] {
        let _told = world.refuse();
        world.pass_until(Due::Load);
        assert_eq!(world.load(session), step(true, None));
        assert_eq!(world.keeper.is_promising(), is_promising, "{session}");
    }
    world.keeper.changed(world.now);
    assert!(world.keeper.is_promising());
    for _ in 0..3 {
        let _told = world.refuse();
        world.pass_until(Due::Load);
        // What is refused still counts once, however often it is all that the source gives.
        assert_eq!(world.load(4), Step::default());
        assert!(world.keeper.is_promising());
    }
    assert!(world.load(5).swapped && world.keeper.is_promising());
    let _told = world.refuse();
    assert!(world.load(6).swapped && !world.keeper.is_promising());
    assert_eq!(world.accept(), step(false, Some(Tell::Accepted)));
    assert!(world.keeper.is_promising());
}

#[test]
fn a_source_that_goes_back_to_the_key_in_use_changes_nothing() {
    let mut world = World::with(1);
    assert!(world.load(2).swapped && world.refuse().swapped);
    let generation = world.generation();
    assert_eq!(world.load(1), step(false, None));
    assert_eq!((world.generation(), world.due()), (generation, None));
    world.uses(1);
}

#[test]
fn of_several_keys_before_the_one_that_was_accepted_is_kept() {
    let mut world = World::with(1);
    assert!(world.load(2).swapped && world.load(3).swapped);
    assert!(world.refuse().swapped);
    world.uses(1);
}

#[test]
fn a_session_is_refreshed_before_it_expires() {
    for (good_for, random, due) in [
        (3_600, 0.0, 2_880),
        (3_600, 1.0, 2_592),
        (900, 0.0, 600),
        (60, 0.0, 30),
        (43_200, 0.0, 34_560),
        (1, 1.0, 1),
    ] {
        let mut world = World::new();
        let session = Key { good_for: Some(S(good_for)), ..key(1) };
        world.keeper.load_begins(world.now);
        let _first = world.keeper.loaded(session, world.now, random);
        assert_eq!(world.due(), Some((S(due), Due::Load)), "{good_for} s");
        world.pass_until(Due::Load);
        assert!(world.fail("STS is away").tell.is_some());
        world.uses(1);
        assert_eq!(world.due(), Some((S(1), Due::Load)));
    }
}

#[test]
fn a_file_that_changes_all_the_time_is_not_read_all_the_time() {
    let mut world = World::with(1);
    let _asked = world.load(1);
    for _ in 0..100 {
        world.keeper.changed(world.now);
    }
    assert_eq!(world.due(), Some((LOADS_APART_MIN, Due::Load)));
}
