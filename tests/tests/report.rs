//! The page of a plan, opened in a browser.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use tests::browser::{Page, Scheme, Shown};
use tests::root;

/// How wide a window on a desk is, and one in a hand, in CSS pixels.
const WIDE: u32 = 1280;
const NARROW: u32 = 500;

const COST: &str = "What a month costs, by shards";
const LOAD: &str = "What each shard is sent";
const OUTAGE: &str = "What waits after an outage";
const GROWTH: &str = "Shards needed as the fleet grows";
const MODES: &str = "What a month costs, by mode";
const SIZES: &str = "How large records are";

fn example(name: &str) -> PathBuf {
    root().join("configs").join(format!("plan-{name}.toml"))
}

fn page(plan: &Path, flags: &[&str]) -> Page {
    let output = Command::new(env!("CARGO_BIN_EXE_gateway"))
        .args(["plan", "--format", "html", "--plan"])
        .arg(plan)
        .args(flags)
        .output()
        .expect("it is built with this test");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    Page::new(String::from_utf8(output.stdout).expect("UTF-8"))
}

/// Everything on the page can be seen and read.
#[track_caller]
fn is_legible(shown: &Shown, charts: &[&str]) {
    assert!(!shown.too_wide, "{} pixels are not enough", shown.width);
    assert!(shown.texts > 60, "{}", shown.texts);
    assert!(shown.faint.is_empty(), "{:#?}", shown.faint);
    let titles: Vec<_> = shown.charts.iter().map(|chart| chart.title.as_str()).collect();
    assert_eq!(titles, charts);
    for chart in &shown.charts {
        assert!(chart.width > 300.0 && chart.height > 170.0, "{chart:#?}");
        assert!(chart.words > 4 && chart.shapes > 4 && !chart.about.is_empty(), "{chart:#?}");
        assert!(chart.outside.is_empty(), "{}: {:?}", chart.title, chart.outside);
        assert!(chart.overlapping.is_empty(), "{}: {:?}", chart.title, chart.overlapping);
    }
}

/// In a window and in a hand, by day and by night, and on paper.
fn is_legible_everywhere(page: &Page, charts: &[&str]) {
    for (scheme, width) in [(Scheme::Light, WIDE), (Scheme::Dark, NARROW)] {
        let shown = page.shown(scheme, width);
        assert_eq!(shown.dark, scheme == Scheme::Dark);
        is_legible(&shown, charts);
    }
    let sheets = page.sheets();
    assert!((2..=5).contains(&sheets), "{sheets} sheets");
}

#[test]
fn the_page_of_the_fleet_is_legible_everywhere() {
    let page = page(&example("fleet"), &[]);
    is_legible_everywhere(&page, &[COST, LOAD, OUTAGE, GROWTH, MODES, SIZES]);
    let shown = page.shown(Scheme::Light, WIDE);
    assert_eq!(shown.headline, "34 shards");
    for words in
        ["because of growth", "$1,108.14", "One shard less would save $10.95", "5.3 months"]
    {
        assert!(shown.words.contains(words), "{words:?} is not in: {}", shown.words);
    }
}

#[test]
fn the_page_of_the_factory_is_legible_everywhere() {
    let page = page(&example("factory"), &[]);
    is_legible_everywhere(&page, &[COST, LOAD, OUTAGE, GROWTH, MODES, SIZES]);
}

#[test]
fn the_page_of_the_building_is_legible_everywhere_without_growth() {
    let page = page(&example("building"), &[]);
    is_legible_everywhere(&page, &[COST, LOAD, OUTAGE, MODES, SIZES]);
}

#[test]
fn the_page_of_a_question_in_reverse_is_legible_everywhere() {
    let page = page(&example("fleet"), &["--shards", "20"]);
    is_legible_everywhere(&page, &[LOAD, OUTAGE, MODES, SIZES]);
    let shown = page.shown(Scheme::Dark, WIDE);
    assert_eq!(shown.headline, "20 shards");
}

#[test]
fn the_page_of_a_huge_stream_with_large_records_is_legible_everywhere() {
    let many = ["--devices", "300000", "--period", "1min", "--horizon", "2mo"];
    let flags = [&many[..], &["--sizes", "100:1, 20 KiB:3, 900 KiB:1"]].concat();
    let page = page(&example("fleet"), &flags);
    is_legible_everywhere(&page, &[COST, LOAD, OUTAGE, GROWTH, MODES, SIZES]);
    assert!(page.html().len() < 200_000, "{} bytes", page.html().len());
}

#[test]
fn a_page_is_whole_in_itself_and_what_people_call_their_devices_is_no_markup() {
    let dir = tempfile::tempdir().expect("a temporary directory");
    let plan = dir.path().join("plan.toml");
    let text = fs::read_to_string(example("fleet")).expect("readable");
    let name = "<script>document.title='x'</script> & <b>\"co\"</b>";
    fs::write(&plan, text.replace("name = \"vehicles\"", &format!("name = '''{name}'''")))
        .expect("a writable directory");
    let page = page(&plan, &[]);
    let shown = page.shown(Scheme::Light, WIDE);
    assert_eq!((shown.scripts, shown.resources), (1, 0), "the script that measures, and nothing");
    assert!(shown.words.contains(name), "{}", shown.words);
    for outside in ["<script", "<link", "<img", "@import", "url(", "src=", "href="] {
        assert!(!page.html().contains(outside), "{outside}");
    }
}
