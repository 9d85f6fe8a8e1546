//! SIGKILL while one of two streams is away, with records in the spools of both.

use std::time::Duration;

use tests::effort::{dice, ordinary_or_long};
use tests::fleet::Load;
use tests::reading::Comparison;
use tidegate::rehearsal::stream::Link;
use tokio::time::sleep;

use super::world::{Streams, arrives};

#[tokio::test]
async fn killed_in_the_midst_of_an_outage_of_one_stream_nothing_of_either_is_lost() {
    let kills = ordinary_or_long(4, 12);
    let streams = Streams::new().await.set("spool.mode", "\"always\"");
    // From now on the broker keeps what is published.
    streams.gateway.start().await.stop().await.books();
    streams.south.faults(|faults| faults.link = Link::Silent);
    let load = Load { devices: 40, ..Load::new(kills * 800, 400) };
    let killing = async {
        let mut dice = dice();
        for _ in 0..kills {
            let run = streams.gateway.start().await;
            sleep(Duration::from_millis(dice.u64(1_000..2_000))).await;
            run.kill().await;
        }
        streams.gateway.start().await
    };
    let (published, run) = tokio::join!(streams.publish(&load), killing);
    arrives(&streams.north, &published[0]).await;
    // All that is for the south waits on the disk, or with the broker.
    let [north, south] =
        ["north", "south"].map(|label| ["spool", "status", "--json", "--stream", label]);
    let (north, south) = (streams.gateway.ask(&north).await, streams.gateway.ask(&south).await);
    let waiting = |answer: &str| {
        let status: serde_json::Value = serde_json::from_str(answer).expect("JSON");
        status["records"].as_u64().expect("a count")
    };
    assert!(waiting(&south.text) > waiting(&north.text) + 100, "{south:?}\n{north:?}");
    streams.south.faults(|faults| faults.link = Link::Up);
    let compared = streams.all_arrive(&published).await;
    run.stop().await.books();
    for Comparison { lost, unknown, overtook, .. } in compared {
        assert_eq!((lost, unknown, overtook), (vec![], vec![], 0));
    }
    let audit = streams.gateway.ask(&["audit"]).await;
    assert!(audit.code == Some(0) && audit.text.contains("it balances"), "{audit:?}");
}
