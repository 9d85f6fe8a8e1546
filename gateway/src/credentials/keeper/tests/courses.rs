//! Any course of events, against what whoever watches from outside knows.

use std::collections::BTreeSet;

use proptest::prelude::*;

use super::*;

/// What may happen, in any order.
#[derive(Debug, Clone)]
enum Event {
    Pass(u64),
    Changed,
    Refused {
        of_now: bool,
    },
    Accepted {
        of_now: bool,
    },
    /// What the source will give from now on; nothing when it cannot be read.
    Source(Option<(u64, Option<u64>)>),
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        3 => (0..40_000_u64).prop_map(Event::Pass),
        1 => Just(Event::Changed),
        2 => any::<bool>().prop_map(|of_now| Event::Refused { of_now }),
        2 => any::<bool>().prop_map(|of_now| Event::Accepted { of_now }),
        2 => prop::option::of((0..4_u64, prop::option::weighted(0.2, 0..7_200_u64)))
            .prop_map(Event::Source),
    ]
}

/// What whoever watches from outside knows.
#[derive(Default)]
struct Seen {
    /// The key that the source gave last.
    newest: String,
    /// The key that was in use before, if it was accepted and the newest has not been yet.
    before: Option<String>,
    /// Keys by their last verdict; those that were tried anew are in neither.
    good: BTreeSet<String>,
    refused: BTreeSet<String>,
    loads: Vec<Instant>,
}

impl Seen {
    fn verdict(&mut self, id: &str, is_good: bool) {
        self.untried(id);
        let with_it = if is_good { &mut self.good } else { &mut self.refused };
        with_it.insert(id.to_owned());
        if is_good && id == self.newest {
            self.before = None;
        }
    }

    fn untried(&mut self, id: &str) {
        self.good.remove(id);
        self.refused.remove(id);
    }

    fn loaded(&mut self, id: &str, in_use: Option<String>, swapped: bool) {
        if swapped {
            self.untried(id);
            self.before = in_use.filter(|id| self.good.contains(id));
        } else if self.newest != id {
            // The source went back to the key in use.
            self.before = None;
        }
        self.newest = id.to_owned();
    }
}

fn in_use(keeper: &Keeper) -> Option<String> {
    keeper.current().map(|(key, _)| key.id.whole().to_owned())
}

/// Lets `time` pass, and does what is due meanwhile.
fn pass(world: &mut World, seen: &mut Seen, source: Option<&Key>, time: Duration) {
    let end = world.now + time;
    while let Some((at, due)) = world.keeper.due().filter(|(at, _)| *at <= end) {
        world.now = world.now.max(at);
        let before = in_use(&world.keeper);
        match (due, source) {
            (Due::TryNewest, _) => {
                assert!(world.keeper.try_newest().swapped);
                seen.untried(&seen.newest.clone());
            }
            (Due::Load, None) => {
                seen.loads.push(world.now);
                world.keeper.load_begins(world.now);
                let _told = world.keeper.failed("none", world.now, 0.0);
            }
            (Due::Load, Some(key)) => {
                seen.loads.push(world.now);
                world.keeper.load_begins(world.now);
                let step = world.keeper.loaded(key.clone(), world.now, 0.0);
                seen.loaded(key.id.whole(), before, step.swapped);
            }
        }
    }
    world.now = end;
}

/// The best key that is known is in use.
fn check_rank(keeper: &Keeper, seen: &Seen) -> Result<(), TestCaseError> {
    let Some(used) = in_use(keeper) else { return Ok(()) };
    let newest_refused = seen.refused.contains(&seen.newest);
    // Another one than the newest only while the newest is refused.
    prop_assert!(used == seen.newest || newest_refused, "{used}");
    // One that is refused only while the newest is, and the one before it.
    if seen.refused.contains(&used) {
        prop_assert!(newest_refused, "{used}");
        let before_refused = seen.before.as_ref().is_none_or(|id| seen.refused.contains(id));
        prop_assert!(before_refused, "{used}");
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn the_best_key_is_in_use_and_a_good_one_is_found_in_any_course_of_events(events in prop::collection::vec(event(), 1..60)) {
        let mut world = World::new();
        let mut seen = Seen::default();
        let mut source = Some(key(0));
        for event in events {
            let before = world.generation();
            match event {
                Event::Pass(ms) => {
                    pass(&mut world, &mut seen, source.as_ref(), Duration::from_millis(ms));
                }
                Event::Changed => world.keeper.changed(world.now),
                Event::Source(gives) => {
                    source = gives.map(|(number, good_for)| {
                        Key { good_for: good_for.map(Duration::from_secs), ..key(number) }
                    });
                }
                Event::Refused { of_now: false } | Event::Accepted { of_now: false } => {
                    let earlier = Generation(before.0.wrapping_sub(1));
                    let due = world.keeper.due();
                    let refused = world.keeper.refused(earlier, world.now, 0.0);
                    prop_assert_eq!(refused, Step::default());
                    prop_assert_eq!(world.keeper.accepted(earlier, world.now), Step::default());
                    prop_assert_eq!((world.keeper.due(), world.generation()), (due, before));
                }
                Event::Refused { of_now: true } => {
                    let Some((key, _)) = world.keeper.current() else { continue };
                    seen.verdict(key.id.whole(), false);
                    let _told = world.refuse();
                    prop_assert!(world.keeper.due().is_some(), "somebody must look again");
                }
                Event::Accepted { of_now: true } => {
                    let Some((key, _)) = world.keeper.current() else { continue };
                    seen.verdict(key.id.whole(), true);
                    let _told = world.accept();
                }
            }
            prop_assert!(world.generation() >= before);
            check_rank(&world.keeper, &seen)?;
        }
        // Whatever came before: the good key of a source that nobody watches is found, once all
        // others are refused.
        source = Some(key(9));
        for _ in 0..150 {
            pass(&mut world, &mut seen, source.as_ref(), S(1));
            let _told = match in_use(&world.keeper) {
                Some(used) if used == key(9).id.whole() => world.accept(),
                _ => world.refuse(),
            };
        }
        world.uses(9);
        for pair in seen.loads.windows(2) {
            prop_assert!(pair[1] - pair[0] >= LOADS_APART_MIN);
        }
    }
}
