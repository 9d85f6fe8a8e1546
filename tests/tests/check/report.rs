//! What people read.

use tests::process::command;

use super::world::World;

#[tokio::test]
async fn people_read_a_line_for_each_step_and_the_verdict() {
    let world = World::new().await;
    let answered = world.gateway.ask(&["check", "--trust-dry-run"]).await;
    assert_eq!(answered.code, Some(0), "{}", answered.text);
    let lines: Vec<_> = answered.text.lines().collect();
    assert_eq!(lines.len(), 14, "{}", answered.text);
    assert!(lines.iter().any(|line| line.starts_with("stream             ok      telemetry")));
    assert_eq!(lines.last(), Some(&"connection available"));
}

#[tokio::test]
async fn configuration_at_fault_is_told_as_a_report_too() {
    let world = World::new().await.set("stream.shards", "0").set("mqtt.wrong", "1");
    world
        .check()
        .await
        .fails(64, &["configuration"])
        .says("configuration", "failed", &["stream.shards = 0", "mqtt.wrong"])
        .says("broker", "skipped", &["needs the configuration"]);
    let answered = world.gateway.ask(&["check"]).await;
    assert_eq!(answered.code, Some(64));
    assert!(answered.text.ends_with("connection unavailable\n"), "{}", answered.text);
}

#[test]
fn who_does_not_read_the_report_to_its_end_is_told_by_the_exit_code_all_the_same() {
    let check = format!("{} check --config absent.toml", env!("CARGO_BIN_EXE_gateway"));
    let script = format!("{{ {check}; echo $? >&2; }} | true");
    let output = command("sh").args(["-c", &script]).output().expect("every Unix has it");
    assert_eq!(String::from_utf8_lossy(&output.stderr).trim(), "64");
}
