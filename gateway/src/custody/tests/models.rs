//! Whatever happens, in whatever order.

use std::collections::BTreeSet;
use std::time::Duration;

use proptest::prelude::*;

use super::SHARDS;
use super::world::World;
use crate::config::SpoolMode;

#[derive(Debug, Clone)]
enum Event {
    Receive(u8),
    Accept,
    Pass(u64),
    DiskAnswers,
    Block(usize, bool),
    Open(bool),
    Break(bool),
    Fill,
    Lose,
    Exhausted,
    Reject,
    Refuse(u8),
    Bury,
}

fn event() -> impl Strategy<Value = Event> {
    prop_oneof![
        12 => (0..6_u8).prop_map(Event::Receive),
        4 => Just(Event::Accept),
        4 => (0..400_u64).prop_map(Event::Pass),
        4 => Just(Event::DiskAnswers),
        2 => (0..SHARDS, any::<bool>()).prop_map(|(shard, blocked)| Event::Block(shard, blocked)),
        1 => any::<bool>().prop_map(Event::Open),
        1 => any::<bool>().prop_map(Event::Break),
        1 => Just(Event::Exhausted),
        1 => Just(Event::Fill),
        1 => Just(Event::Lose),
        1 => Just(Event::Reject),
        1 => (0..6_u8).prop_map(Event::Refuse),
        1 => Just(Event::Bury),
    ]
}

fn live(world: &mut World, event: &Event) {
    match event {
        Event::Receive(key) => world.receive(*key),
        Event::Accept => world.accept(),
        Event::Pass(ms) => world.now += Duration::from_millis(*ms),
        Event::DiskAnswers => world.disk_answers(),
        Event::Block(shard, blocked) => world.blocked[*shard] = *blocked,
        Event::Open(open) => world.open = *open,
        Event::Break(broken) => world.disk.broken = *broken,
        Event::Fill => world.disk.full = true,
        Event::Lose => world.disk.bad = true,
        Event::Reject => world.reject(),
        Event::Refuse(key) => world.refuse(*key),
        Event::Bury => world.bury(),
        Event::Exhausted => world.custody.window_exhausted(),
    }
    world.turn();
    world.books();
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn each_record_is_delivered_once_and_in_the_order_of_its_key(
        always in any::<bool>(),
        passed_max in prop_oneof![0..5_usize, Just(1_000)],
        events in prop::collection::vec(event(), 1..400),
    ) {
        let mode = if always { SpoolMode::Always } else { SpoolMode::Overflow };
        let mut world = World::new(mode);
        world.custody.stripes.passed_max = passed_max;
        for event in &events {
            live(&mut world, event);
        }
        world.recover();
        world.books();
        for (key, numbers) in world.by_key() {
            prop_assert!(numbers.is_sorted(), "{key}: {numbers:?}");
        }
        let ended = (world.delivered.len() + world.dead.len() + world.gone) as u64;
        prop_assert_eq!(ended, world.received, "liveness");
        let numbers: BTreeSet<_> = world.delivered.iter().map(|(_, number)| *number).collect();
        prop_assert_eq!(numbers.len(), world.delivered.len(), "none twice");
        let gone = |number| world.disk.gone.contains(&number);
        let ended = |number| numbers.contains(&number) || world.dead.contains(&number);
        prop_assert!((0..world.received).all(|number| ended(number) || gone(number)));
        prop_assert_eq!(world.safe.len() as u64, world.received);
        prop_assert_eq!(world.custody.exposed(), 0);
        prop_assert_eq!(world.custody.spooled(), 0);
        prop_assert_eq!(world.custody.held.len(), 0, "nothing is left in memory");
    }

    #[test]
    fn at_a_stop_everything_is_safe_and_the_next_run_delivers_it(
        events in prop::collection::vec(event(), 1..300),
    ) {
        let mut world = World::new(SpoolMode::Overflow);
        for event in &events {
            live(&mut world, event);
        }
        world.stop();
        world.gone += world.custody.take_adrift();
        let ended = world.custody.take_ended();
        prop_assert_eq!(world.custody.exposed(), 0);
        prop_assert_eq!(world.safe.len() as u64, world.received);
        world.disk.settle(&ended);
        let mut after = World::after(world.disk, world.received);
        after.recover();
        let mut numbers: Vec<_> = world.delivered.iter().chain(&after.delivered).collect();
        numbers.sort_unstable_by_key(|(_, number)| *number);
        let count = numbers.len();
        numbers.dedup();
        prop_assert_eq!(numbers.len(), count, "none twice");
        let ended = count + world.dead.len() + world.gone + after.gone;
        prop_assert_eq!(ended as u64, world.received);
    }

    #[test]
    fn after_a_crash_what_was_safe_is_delivered_in_order(
        events in prop::collection::vec(event(), 1..300),
        more in prop::collection::vec(0..6_u8, 0..40),
    ) {
        let mut world = World::new(SpoolMode::Overflow);
        for event in &events {
            live(&mut world, event);
        }
        let delivered: BTreeSet<_> = world.delivered.iter().map(|(_, number)| *number).collect();
        let ended = &delivered | &world.dead;
        let lost: Vec<_> = world.safe.difference(&ended).copied().collect();
        // The process is killed. The disk stays; the broker has what it was not told is safe.
        let mut after = World::after(world.disk, world.received);
        for key in more {
            after.receive(key);
        }
        after.recover();
        let numbers: BTreeSet<_> = after.delivered.iter().map(|(_, number)| *number).collect();
        let gone = |number: &u64| after.disk.gone.contains(number);
        prop_assert!(lost.iter().all(|number| numbers.contains(number) || gone(number)));
        for (key, mut numbers) in after.by_key() {
            // What the disk lost of what was in memory was written again, behind the rest.
            numbers.retain(|number| !gone(number));
            prop_assert!(numbers.is_sorted(), "{key}: {numbers:?}");
        }
        prop_assert_eq!(after.custody.spooled(), 0);
    }
}
