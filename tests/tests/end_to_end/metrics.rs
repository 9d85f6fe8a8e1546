//! What a running gateway shows, and what it tells of its plan.

use std::time::Duration;

use serde_json::Value;
use tests::fleet::Load;
use tests::installation::{Answered, Run};
use tests::metrics::{Page, get};
use tests::mosquitto;
use tests::patience::in_time;
use tidegate::rehearsal::stream::Settings;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;
use tokio::time::{sleep, timeout};

use super::world::World;

const SERVED: &str = "metrics are served";
const BROKEN: &str = "the plan no longer holds";

/// Where the metrics of a run are.
async fn url(run: &Run) -> String {
    run.field(SERVED, "url").await.as_str().expect("a URL").to_owned()
}

#[tokio::test]
async fn page_shows_what_the_ledger_counts_and_balances_at_every_moment() {
    let world = World::new().await.with_metrics();
    let run = world.gateway.start().await;
    let url = url(&run).await;
    let load = Load { devices: 40, ..Load::new(3_000, 1_000) };
    let looking = async {
        let mut pages = 0;
        loop {
            let page = Page::of(&get(&url).await);
            let value = |name| page.value(name);
            let came = value("records_received_total") + value("records_recovered_total");
            let ended = value("records_delivered_total")
                + value("records_dead_lettered_total")
                + value("records_corrupted_total");
            let held = value("records_in_flight") + value("records_spooled");
            assert!((came - ended - held).abs() < 0.5, "{came} came, {ended} ended, {held} held");
            pages += 1;
            if value("records_delivered_total") >= 3_000.0 {
                return (pages, page);
            }
            sleep(Duration::from_millis(20)).await;
        }
    };
    let both = async { tokio::join!(load.publish(world.broker.port), looking) };
    let (published, (pages, page)) = in_time("all is delivered", both).await;
    world.all_arrive(&published).await;
    assert!(pages > 20, "it was looked at {pages} times");
    assert!((page.value("record_data_bytes_count") - 3_000.0).abs() < 0.5);
    assert!((page.value("publish_to_accepted_seconds_count") - 3_000.0).abs() < 0.5);
    assert!((page.value("partition_keys") - 40.0).abs() < 1.5);
    assert!((page.value("stream_shards{known=\"stated\"}") - 4.0).abs() < 0.5);
    let offered = page.value("offered_records_per_second");
    assert!((100.0..1_100.0).contains(&offered), "{offered} records/s after three seconds");
    run.stop().await.books();
}

#[tokio::test]
async fn what_is_not_asked_for_as_it_should_be_is_told_so() {
    let world = World::new().await.with_metrics();
    let run = world.gateway.start().await;
    let url = url(&run).await;
    let elsewhere = url.replace("/metrics", "/");
    assert!(get(&elsewhere).await.starts_with("HTTP/1.1 404 Not Found"));
    let page = get(&url).await;
    assert!(page.starts_with("HTTP/1.1 200 OK"), "{page}");
    assert!(page.contains("application/openmetrics-text; version=1.0.0"), "{page}");
    run.stop().await.books();
}

#[tokio::test]
async fn address_that_is_taken_ends_the_start_with_its_name() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("bound").to_string();
    let world = World::new().await.set("metrics.listen", &format!("{address:?}"));
    let ended = world.gateway.launch().end().await;
    assert_eq!(ended.code, Some(1));
    let told = format!("metrics.listen: cannot listen on {address}");
    assert!(ended.log.iter().any(|line| line.contains(&told)), "{:?}", ended.log);
}

/// Who holds on to connections keeps nobody else out for long, and never the records.
#[tokio::test]
async fn connections_that_say_nothing_keep_no_record_waiting() {
    let world = World::new().await.with_metrics();
    let run = world.gateway.start().await;
    let url = url(&run).await;
    let address = url.trim_start_matches("http://").trim_end_matches("/metrics").to_owned();
    let silent: Vec<_> =
        (0..20).map(|_| std::net::TcpStream::connect(&address).expect("it listens")).collect();
    let published = Load::new(500, 500).publish(world.broker.port).await;
    let arrived = timeout(Duration::from_secs(5), world.all_arrive(&published)).await;
    arrived.expect("nothing waits for those who say nothing");
    assert!(get(&url).await.contains("tidegate_records_delivered_total 500"));
    drop(silent);
    run.stop().await.books();
}

/// Two shards, each planned for 100 records a second, are to take 400: that is four shards' worth, and
/// hashing wants one more. A busy machine publishes sooner or later than it should.
#[tokio::test]
async fn stream_that_is_too_small_is_told_with_the_number_of_shards_that_would_do() {
    let stream = Settings { shards: 2, ..Settings::default() };
    let world = World::with(mosquitto::Settings::patient(), stream)
        .await
        .with_metrics()
        .set("stream.shards", "2")
        .set("plan.target", "0.1")
        .set("plan.warn_after_s", "10");
    let run = world.gateway.start().await;
    let url = url(&run).await;
    let load = Load { devices: 1_000, ..Load::new(12_000, 400) };
    let told = async {
        let needed = run.field(BROKEN, "shards_needed").await;
        let asked = ["plan", "--from-metrics", &url];
        let (page, plan) = tokio::join!(get(&url), world.gateway.ask_alone(&asked));
        (needed, Page::of(&page), plan)
    };
    let (_, (needed, page, plan)) = tokio::join!(load.publish(world.broker.port), told);
    assert!(needed.as_u64().is_some_and(|needed| (4..=6).contains(&needed)), "{needed}");
    assert_eq!(run.field(BROKEN, "shards").await, 2);
    assert!(page.value("plan_holds") < 0.5);
    assert!(page.value("hottest_shard_offered_ratio") > 0.1);
    let verdict = "THE PLAN NO LONGER HOLDS: the stream has 2 shards, and needs ";
    assert!(plan.text.contains(verdict) && plan.code == Some(3), "{plan:?}");
    assert_eq!(run.times_said(BROKEN), 1);
    run.stop().await.books();
}

/// One device has more to send than a shard should carry; there are shards enough.
#[tokio::test]
async fn key_that_no_number_of_shards_can_carry_is_told_by_name() {
    let world = World::new().await.set("plan.target", "0.1").set("plan.warn_after_s", "10");
    let run = world.gateway.start().await;
    let load = Load { devices: 1, ..Load::new(7_500, 300) };
    let (_, keys) =
        tokio::join!(load.publish(world.broker.port), run.field(BROKEN, "hottest_keys"));
    assert!(keys.to_string().contains("sites/"), "{keys}");
    let field = async |name| run.field(BROKEN, name).await;
    assert!(field("because").await.to_string().contains("Key"));
    assert!(field("advice").await.to_string().contains("more shards cannot help"));
    assert!(field("shards_needed").await.is_null());
    run.stop().await.books();
}

#[tokio::test]
async fn stream_that_is_large_enough_is_not_warned_of() {
    let world = World::new()
        .await
        .with_metrics()
        .set("plan.warn_after_s", "10")
        .set("metrics.hottest_keys", "0");
    let run = world.gateway.start().await;
    let url = url(&run).await;
    let load = Load { devices: 200, ..Load::new(8_000, 400) };
    let asked = async {
        world.stored(2_000).await;
        let asked = ["plan", "--from-metrics", &url, "--for", "5s", "--format", "json"];
        world.gateway.ask_alone(&asked).await.text
    };
    let (_, plan) = tokio::join!(load.publish(world.broker.port), asked);
    let plan: Value = serde_json::from_str(&plan).expect("JSON");
    assert_eq!((&plan["holding"]["holds"], &plan["holding"]["shards"]), (&true.into(), &4.into()));
    let records_per_s = plan["records_per_s"].as_f64().expect("a rate");
    assert!((records_per_s / 400.0 - 1.0).abs() < 0.25, "{records_per_s} records/s");
    let class = &plan["inputs"]["classes"][0];
    let devices = class["devices"]["counted"]["devices"].as_f64().expect("a number");
    assert!((devices / 200.0 - 1.0).abs() < 0.05, "{class}");
    let text = get(&url).await;
    let page = Page::of(&text);
    assert!(page.value("plan_holds") > 0.5);
    assert!((0.05..0.3).contains(&page.value("hottest_shard_offered_ratio")));
    assert!(!text.contains("key=\"") && text.contains("rank=\"1\""), "no key is named");
    assert_eq!(run.times_said(BROKEN), 0);
    run.stop().await.books();
}

/// A gateway is away for 40 s, at five sixths of what is planned for; then it is sent nine tenths of what
/// the shard takes for twice its patience.
#[tokio::test]
async fn what_the_broker_kept_while_the_gateway_was_away_is_not_warned_of() {
    let stream = Settings { shards: 1, ..Settings::default() };
    let world = World::with(mosquitto::Settings::patient(), stream)
        .await
        .set("stream.shards", "1")
        .set("spool.mode", "\"off\"")
        .set("plan.target", "0.6")
        .set("plan.warn_after_s", "10");
    world.begin_session().await;
    let published = Load::new(20_000, 500).publish(world.broker.port).await;
    let run = world.gateway.start().await;
    world.all_arrive(&published).await;
    // As long as what came shows.
    sleep(Duration::from_secs(5)).await;
    assert_eq!(run.times_said(BROKEN), 0);
    run.stop().await.books();
}

#[tokio::test]
async fn plan_of_a_gateway_that_shows_nothing_says_why_and_what_to_do() {
    let world = World::new().await.with_metrics();
    let run = world.gateway.start().await;
    let url = url(&run).await;
    let refused = async |url: &str, code, why: &str| {
        let answered = world.gateway.ask_alone(&["plan", "--from-metrics", url]).await;
        let Answered { code: ended, text, log } = answered;
        assert_eq!((ended, text.as_str()), (Some(code), ""), "{url}: {log}");
        assert!(log.contains(why), "{url}: {log}");
    };
    refused(&url, 64, "received no record in that time: ask again").await;
    refused(&url.replace("/metrics", "/elsewhere"), 1, "the answer is 404 Not Found").await;
    refused("https://127.0.0.1:9464/metrics", 1, "over http:// only").await;
    refused("what", 1, "http:// only").await;
    for (page, why) in [
        ("up 1\n", "metrics of another program than tidegate"),
        ("<html>hello</html>", "line 1 is not in Prometheus' text format"),
    ] {
        let (url, serving) = serve_once(page).await;
        tokio::join!(serving, refused(&url, 1, why));
    }
    run.stop().await.books();
    refused(&url, 1, "does the gateway run, and does metrics.listen say this address?").await;
}

/// A socket takes whoever connects, and nothing answers.
#[tokio::test]
async fn interrupt_ends_a_question_to_a_gateway_that_does_not_answer() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let url = format!("http://{}/metrics", silent.local_addr().expect("bound"));
    let gateway = World::new().await.interrupted_after_3_s().gateway;
    let answered = gateway.ask_alone(&["plan", "--from-metrics", &url]).await;
    assert_eq!(answered.code, Some(128 + 2), "SIGINT ended it: {}", answered.log);
}

/// Something else that answers at a URL, once.
async fn serve_once(page: &str) -> (String, impl Future<Output = ()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let address = listener.local_addr().expect("bound");
    let serving = async move {
        let (mut socket, _) = listener.accept().await.expect("somebody asks");
        let mut request = [0; 1_024];
        let asked = socket.read(&mut request).await.expect("it asks something");
        let head = "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length";
        let answer = format!("{head}: {}\r\n\r\n{page}", page.len());
        assert!(asked > 0 && socket.write_all(answer.as_bytes()).await.is_ok());
    };
    (format!("http://{address}/metrics"), serving)
}
