//! mosquitto's own clients, of both protocol levels.

use std::process::{Command, Output, Stdio};

use super::*;

fn client(name: &str, broker: &Broker, arguments: &[&str]) -> Command {
    let mut command = Command::new(name);
    command.args(["-h", "127.0.0.1", "-p", &broker.address().port().to_string()]);
    command.args(arguments).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Runs a client to its end without holding up the broker, which runs on this thread.
async fn finish(mut command: Command) -> Output {
    let child = command.spawn().expect("Debian's mosquitto-clients is installed");
    tokio::task::spawn_blocking(|| child.wait_with_output().unwrap()).await.unwrap()
}

fn lines(output: &Output) -> Vec<String> {
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).lines().map(str::to_owned).collect()
}

#[tokio::test]
async fn mosquitto_clients_are_served_at_both_levels() {
    let broker = broker().await;
    for version in ["mqttv311", "mqttv5"] {
        let id = format!("sub-{version}");
        let mut arguments =
            vec!["-V", version, "-i", &id, "-c", "-q", "1", "-t", "m/+", "-W", "30"];
        if version == "mqttv5" {
            arguments.extend(["-x", "600"]);
        }
        // A session is made, left, filled and taken up again.
        let made = finish(client("mosquitto_sub", &broker, &[&arguments[..], &["-E"]].concat()));
        assert_eq!(lines(&within(made).await), [""; 0]);
        for text in ["one", "two", "three"] {
            let said = ["-V", version, "-q", "1", "-t", "m/x", "-m", text];
            lines(&within(finish(client("mosquitto_pub", &broker, &said))).await);
        }
        let taken = [&arguments[..], &["-C", "3"]].concat();
        let taken = within(finish(client("mosquitto_sub", &broker, &taken))).await;
        assert_eq!(lines(&taken), ["one", "two", "three"]);
        until(|| broker.connections() == 0).await;
        let seen = broker.seen(&id).unwrap();
        assert_eq!((seen.connects, seen.delivered), (2, 3));
        assert_eq!((seen.pubacks_out_of_order, seen.pubacks_not_in_flight), (0, 0));
    }
}

#[tokio::test]
async fn qos_2_is_granted_as_1_and_refused_from_publishers() {
    let broker = broker().await;
    let subscribe = ["-V", "mqttv5", "-i", "two", "-q", "2", "-t", "q", "-E"];
    lines(&within(finish(client("mosquitto_sub", &broker, &subscribe))).await);
    assert_eq!(broker.seen("two").unwrap().subscribed, [("q".to_owned(), Some(Qos::AtLeastOnce))]);
    let publish = ["-V", "mqttv311", "-q", "2", "-t", "q", "-m", "x"];
    let refused = within(finish(client("mosquitto_pub", &broker, &publish))).await;
    assert!(!refused.status.success());
    assert_eq!(broker.received(), 0);
}
