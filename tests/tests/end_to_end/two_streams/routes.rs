//! Which stream a record goes to, and what becomes of one that goes to none.

use std::fs;

use tests::fleet::{Load, Message, publish};
use tests::metrics::{Page, get};
use tests::patience::until;
use tests::reading::Comparison;
use tidegate::rehearsal::stream::Link;

use super::world::{Side, Streams, arrives};

#[tokio::test]
async fn each_stream_gets_what_its_route_says_and_shows_it_under_its_label() {
    let streams = Streams::new().await.set("metrics.listen", "\"127.0.0.1:0\"");
    let run = streams.gateway.start().await;
    let url = run.field("metrics are served", "url").await;
    let url = url.as_str().expect("a URL").to_owned();
    let published = streams.publish(&Load::new(1_000, 500)).await;
    let compared = streams.all_arrive(&published).await;
    assert_eq!(compared, [Comparison::default(), Comparison::default()]);
    let page = Page::of(&get(&url).await);
    for (stream, delivered) in [("north", 500.0), ("south", 500.0)] {
        let series = format!("records_delivered_total{{stream=\"{stream}\"}}");
        assert!((page.value(&series) - delivered).abs() < 0.5);
    }
    let ask = async |more: &[&str]| {
        let asked = ["plan", "--from-metrics", &url];
        streams.gateway.ask_alone(&[&asked[..], more].concat()).await
    };
    let which = ask(&[]).await;
    assert!(which.log.contains("say --stream with one of north, south"), "{which:?}");
    let plan = ask(&["--stream", "south", "--format", "json"]).await;
    let plan: serde_json::Value = serde_json::from_str(&plan.text).expect("JSON");
    assert_eq!(plan["holding"]["shards"], 4);
    run.stop().await.books();
}

#[tokio::test]
async fn what_goes_to_no_stream_is_a_letter_that_finds_its_stream_once_there_is_one() {
    let mut streams = Streams::new().await;
    streams.gateway = streams.gateway.set("mqtt.topics", "[\"sites/#\"]");
    let run = streams.gateway.start().await;
    let reading = |seq| format!("{{\"seq\":{seq},\"ts\":1720000000000,\"temperature\":21}}");
    let messages = (0..5).map(|seq| Message::new("sites/3/devices/7/telemetry", reading(seq)));
    publish(streams.broker.port, messages).await;
    until("five letters are kept", || streams.gateway.dead_letters().len() == 5).await;
    let books = run.stop().await.books();
    assert_eq!((books.received, books.dead_lettered), (5, 5));
    let replay = ["dead-letters", "replay", "--reason", "no_stream"];
    let still = streams.gateway.ask(&replay).await;
    assert_eq!(still.text, "0 delivered; still bad: 5 dead letters: 5 no_stream\n", "{still:?}");

    let wider = [
        streams.table(Side::North, "route.topics = ['sites/1/#', 'sites/3/#']"),
        streams.table(Side::South, "route.topics = ['sites/2/#']"),
    ];
    streams.gateway = streams.gateway.with_streams(&wider);
    let answered = streams.gateway.ask(&replay).await;
    assert!(answered.text.starts_with("5 delivered"), "{answered:?}");
    assert_eq!((streams.north.counts().records, streams.south.counts().records), (5, 0));
    assert!(streams.gateway.dead_letters().is_empty());
}

#[tokio::test]
async fn letter_of_a_record_that_a_stream_refused_goes_back_to_that_stream() {
    let streams = Streams::new().await;
    let run = streams.gateway.start().await;
    streams.south.faults(|faults| faults.record_bytes_max = 1_000);
    let large = Load { devices: 4, padding: 2_000, ..Load::new(8, 100) };
    let published = streams.publish(&large).await;
    until("four letters are kept", || streams.gateway.dead_letters().len() == 4).await;
    run.stop().await.books();
    let letters = streams.gateway.dead_letters();
    assert!(letters.iter().all(|letter| letter["stream"] == "south"), "{letters:?}");
    streams.south.faults(|faults| faults.record_bytes_max = 1 << 20);
    let others = streams.gateway.ask(&["dead-letters", "replay", "--stream", "north"]).await;
    assert!(others.text.starts_with("0 delivered"), "{others:?}");
    let answered = streams.gateway.ask(&["dead-letters", "replay"]).await;
    assert!(answered.text.starts_with("4 delivered"), "{answered:?}");
    let compared = streams.all_arrive(&published).await;
    assert_eq!(compared, [Comparison::default(), Comparison::default()]);
}

#[tokio::test]
async fn records_of_a_label_that_is_gone_are_kept_told_of_and_delivered_when_it_is_back() {
    let mut streams = Streams::new().await;
    let run = streams.gateway.start().await;
    streams.south.faults(|faults| faults.link = Link::Refusing);
    let published = streams.publish(&Load::new(400, 400)).await;
    arrives(&streams.north, &published[0]).await;
    let books = run.stop().await.books();
    assert_eq!((books.delivered, books.spooled), (200, 200));

    let both = streams.tables();
    streams.gateway = streams.gateway.with_streams(&both[..1]);
    let run = streams.gateway.start().await;
    run.says("a [[stream]] with label = \\\"south\\\" delivers them").await;
    let books = run.stop().await.books();
    assert_eq!((books.recovered, books.spooled), (0, 0), "they are not this run's");
    let audit = streams.gateway.ask(&["audit"]).await;
    assert!(audit.code == Some(0) && audit.text.contains("200  wait on disk"), "{audit:?}");
    let status = streams.gateway.ask(&["spool", "status", "--stream", "south"]).await;
    assert!(status.text.contains("to be delivered: 200 records"), "{status:?}");

    streams.south.faults(|faults| faults.link = Link::Up);
    streams.gateway = streams.gateway.with_streams(&both);
    let which = streams.gateway.ask(&["spool", "status"]).await;
    assert!(which.log.contains("say --stream with one of north, south"), "{which:?}");
    let run = streams.gateway.start().await;
    let compared = streams.all_arrive(&published).await;
    assert_eq!(compared, [Comparison::default(), Comparison::default()]);
    assert_eq!(run.stop().await.books().recovered, 200);
    let audit = streams.gateway.ask(&["audit"]).await;
    assert_eq!(audit.code, Some(0), "{audit:?}");
}

/// Labels that change places would send what waits to the other's owner.
#[tokio::test]
async fn what_waits_for_one_owner_is_not_sent_to_another_whose_stream_takes_its_label() {
    let mut streams = Streams::new().await;
    let both = streams.tables();
    streams.gateway = streams.gateway.with_streams(&both);
    let run = streams.gateway.start().await;
    streams.south.faults(|faults| faults.link = Link::Refusing);
    let published = streams.publish(&Load::new(100, 100)).await;
    arrives(&streams.north, &published[0]).await;
    assert_eq!(run.stop().await.books().spooled, 50);

    streams.south.faults(|faults| faults.link = Link::Up);
    let swapped = [
        streams.table(Side::South, "label = 'north'\nroute.topics = ['sites/1/#']"),
        streams.table(Side::North, "label = 'south'\nroute.topics = ['sites/2/#']"),
    ];
    streams.gateway = streams.gateway.with_streams(&swapped);
    let refused = streams.gateway.ask(&["run"]).await;
    let why = "50 records wait in ";
    assert!(refused.code != Some(0) && refused.log.contains(why), "{refused:?}");
    assert!(
        refused.log.contains("for the stream south us-east-1, and stream[south] is"),
        "{refused:?}"
    );
    assert_eq!((streams.north.counts().records, streams.south.counts().records), (50, 0));

    streams.gateway = streams.gateway.with_streams(&both);
    let run = streams.gateway.start().await;
    let compared = streams.all_arrive(&published).await;
    assert_eq!(compared, [Comparison::default(), Comparison::default()]);
    assert_eq!(run.stop().await.books().recovered, 50);
}

#[tokio::test]
async fn spool_of_a_stream_is_named_by_its_label_and_not_by_a_path() {
    let streams = Streams::new().await;
    streams.gateway.start().await.stop().await.books();
    let purge = ["spool", "purge", "--older-than", "1d", "--stream", "../../.."];
    let refused = streams.gateway.ask(&purge).await;
    assert!(refused.code != Some(0) && refused.log.contains("letters, digits"), "{refused:?}");
    assert!(!streams.gateway.dir().join("cursor").exists(), "it was taken for a spool");
}

/// As one moves from one stream to several: what waits can be moved, too.
#[tokio::test]
async fn spool_of_the_only_stream_is_moved_to_one_of_several() {
    let mut streams = Streams::new().await;
    let apart = streams.tables();
    let only = streams.table(Side::North, "");
    streams.gateway = streams.gateway.with_stream(&only);
    let run = streams.gateway.start().await;
    streams.north.faults(|faults| faults.link = Link::Refusing);
    let published = Load { devices: 1, ..Load::new(200, 200) }.publish(streams.broker.port).await;
    run.says("records go to the spool").await;
    assert_eq!(run.stop().await.books().spooled, 200);

    streams.gateway = streams.gateway.with_streams(&apart);
    let run = streams.gateway.start().await;
    run.says("one [stream] delivers them; or, for the [[stream]] that is to: stop the gateway")
        .await;
    assert_eq!(run.stop().await.books().spooled, 0);
    let root = streams.gateway.spool_dir();
    let north = root.join("streams/north");
    fs::remove_dir_all(&north).expect("it is empty");
    fs::create_dir(&north).expect("writable");
    for entry in fs::read_dir(&root).expect("readable") {
        let entry = entry.expect("readable");
        if entry.file_name() != "streams" {
            fs::rename(entry.path(), north.join(entry.file_name())).expect("on one disk");
        }
    }
    streams.north.faults(|faults| faults.link = Link::Up);
    let run = streams.gateway.start().await;
    assert_eq!(arrives(&streams.north, &published).await, Comparison::default());
    assert_eq!(run.stop().await.books().recovered, 200);
    let audit = streams.gateway.ask(&["audit"]).await;
    assert_eq!(audit.code, Some(0), "{audit:?}");
}
