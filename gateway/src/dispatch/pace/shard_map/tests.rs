//! What is asked of the stream, when, and what is believed.

use super::*;
use crate::deliver::TroubleKind;

const SECOND: Duration = Duration::from_secs(1);

/// Shows the map where so many keys go on a stream of `shards` equal ones, numbered from `first`.
fn show(map: &mut ShardMap, shards: u32, first: u64, now: Duration) {
    let ranges = ShardRanges::equal(NonZeroU32::new(shards).unwrap());
    for device in 0..100 {
        let key = HashKey::of(&format!("device-{device}"));
        let shard = ShardId(first + u64::from(ranges.shard_of(key)));
        map.note(Sighting { key, shard, asked: now, heard: now });
    }
}

fn told_apart(map: &ShardMap) -> Vec<Predicted> {
    let shards = map.shards().into_iter().map(|(shard, _)| shard);
    shards.filter(|shard| !matches!(shard, Predicted::Any | Predicted::Whole)).collect()
}

fn predicted(map: &ShardMap, key: HashKey) -> Predicted {
    map.shards()[map.predict(key)].0
}

/// The list of the shards of such a stream.
fn list(shards: u32, first: u64) -> Result<Vec<OpenShard>, Trouble> {
    let ranges = ShardRanges::equal(NonZeroU32::new(shards).unwrap());
    let open = |shard| Some((ShardId(first + u64::from(shard)), ranges.range(shard)?));
    Ok((0..shards).filter_map(open).collect())
}

fn trouble(kind: TroubleKind) -> Result<Vec<OpenShard>, Trouble> {
    Err(Trouble { kind, detail: "as told".to_owned() })
}

/// The seconds of the first ten minutes in which the list is asked for, and answered as told.
fn asked(
    map: &mut ShardMap,
    mut happens: impl FnMut(&mut ShardMap, u64),
    mut answer: impl FnMut() -> Result<Vec<OpenShard>, Trouble>,
) -> Vec<u64> {
    let mut asked = Vec::new();
    for second in 0..600 {
        let now = Duration::from_secs(second);
        happens(map, second);
        if map.asks(now) {
            asked.push(second);
            map.listed(answer(), now);
        }
    }
    asked
}

#[test]
fn what_is_stated_is_believed_until_an_answer_contradicts_it() {
    let mut map = ShardMap::new(Some(4));
    let key = HashKey::of("device-7");
    let nth = predicted(&map, key);
    assert!(matches!(nth, Predicted::Nth(_)));
    assert_eq!(told_apart(&map).len(), 4);
    show(&mut map, 4, 8, SECOND);
    assert_eq!(
        (predicted(&map, key), told_apart(&map).len()),
        (nth, 4),
        "whatever their numbers are"
    );
    assert!(!map.asks(SECOND));
    show(&mut map, 8, 12, 2 * SECOND);
    assert!(matches!(predicted(&map, key), Predicted::Id(ShardId(12..20))));
    assert_eq!(told_apart(&map).len(), 8);
    assert!(map.asks(2 * SECOND), "a surprise");
}

#[test]
fn list_is_asked_for_at_the_first_record_and_after_a_reshard_once_a_minute_at_most() {
    let mut map = ShardMap::new(None);
    let reshards = |map: &mut ShardMap, second: u64| match second {
        7 | 100 | 120 | 400 => show(map, 4, second, Duration::from_secs(second)),
        _ => {}
    };
    let mut listed = [7, 100, 120, 400].into_iter();
    let asked = asked(&mut map, reshards, || list(4, listed.next().unwrap()));
    assert_eq!(asked, [7, 100, 160, 400], "nor before anything is known to work");
    assert_eq!(told_apart(&map), [400, 401, 402, 403].map(|id| Predicted::Id(ShardId(id))));
}

#[test]
fn how_the_shards_are_known_is_what_was_heard_of_them_last() {
    let mut map = ShardMap::new(Some(4));
    show(&mut map, 4, 0, SECOND);
    assert_eq!(map.known(), Known::Stated);
    show(&mut map, 8, 4, 2 * SECOND);
    assert_eq!(map.known(), Known::Learned, "contradicted");
    map.listed(trouble(TroubleKind::Unheard), 3 * SECOND);
    assert_eq!(map.known(), Known::Learned);
    map.listed(list(8, 4), 63 * SECOND);
    show(&mut map, 8, 4, 64 * SECOND);
    assert_eq!(map.known(), Known::Listed);
    show(&mut map, 16, 12, 65 * SECOND);
    assert_eq!(map.known(), Known::Learned, "split");
}

#[test]
fn refused_list_is_not_asked_for_again_however_much_is_learned() {
    let mut map = ShardMap::new(None);
    let learns =
        |map: &mut ShardMap, second| show(map, 4, second / 50 * 4, Duration::from_secs(second));
    let asked = asked(&mut map, learns, || trouble(TroubleKind::NotAllowed));
    assert_eq!(asked, [0]);
    assert_eq!(told_apart(&map).len(), 4, "learned all the same");
}

#[test]
fn list_that_the_network_lost_is_asked_for_again_after_a_minute() {
    let mut map = ShardMap::new(None);
    let mut answers =
        vec![list(4, 0), trouble(TroubleKind::Unheard), trouble(TroubleKind::Unavailable)];
    let first = |map: &mut ShardMap, second| {
        if second == 1 {
            show(map, 4, 0, SECOND);
        }
    };
    let asked = asked(&mut map, first, || answers.pop().unwrap());
    assert_eq!(asked, [1, 61, 121]);
    assert_eq!(told_apart(&map).len(), 4);
}

#[test]
fn stream_that_places_records_itself_is_whole_and_asked_for_no_list() {
    let mut map = ShardMap::new(Some(4));
    let key = HashKey::of("device-7");
    let places = |map: &mut ShardMap, second: u64| {
        let now = Duration::from_secs(second);
        map.note(Sighting { key, shard: ShardId(second % 3), asked: now, heard: now });
    };
    let asked = asked(&mut map, places, || trouble(TroubleKind::NotAllowed));
    assert!(asked.len() <= 1, "{asked:?}");
    assert_eq!((predicted(&map, key), told_apart(&map).len()), (Predicted::Whole, 0));
}

#[test]
fn how_many_shards_there_are_is_told_once_and_not_of_a_stream_that_is_whole() {
    let mut map = ShardMap::new(None);
    let mut told = Vec::new();
    for second in 0..60 {
        let now = Duration::from_secs(second);
        // From the twentieth second on it places records itself.
        show(&mut map, 4, if second < 20 { 0 } else { second % 3 }, now);
        told.extend(map.news(now).map(|shards| (second, shards)));
    }
    assert_eq!(told_apart(&map), []);
    assert_eq!(told, [(1, 4)]);
}

#[test]
fn nothing_is_learned_or_asked_where_nobody_goes_by_shards() {
    let mut map = ShardMap::whole();
    show(&mut map, 4, 0, SECOND);
    assert!(!map.asks(SECOND));
    assert_eq!(predicted(&map, HashKey::of("device-7")), Predicted::Whole);
}
