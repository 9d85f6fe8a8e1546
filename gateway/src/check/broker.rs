//! The broker, visited without a trace: authorities, name, connection, login, subscriptions, and the
//! room in its queues.

use std::io;
use std::time::Duration;

use tokio::net::TcpStream;

use crate::config::{Mqtt, MqttVersion};
use crate::source::{self, Came, NotSeen, Seen, Welcome};

use super::deadline::{BROKER_MAX, Deadline, connecting_max, timed};
use super::names::resolve;
use super::step::{Class, Finding, State, Step, Subject};

/// Looks at the broker of a configuration, as `client_id`; by a name that nobody else bears if none is
/// said.
pub(super) async fn look(mqtt: &Mqtt, client_id: Option<&str>, deadline: Deadline) -> Vec<Step> {
    let (authorities, loading) = timed(async { authorities(mqtt) }).await;
    let address = (mqtt.broker.host.as_str(), mqtt.broker.port);
    let (name, resolving) =
        timed(resolve(address, deadline, Class::Broker, "check mqtt.url")).await;
    let needs = match (&authorities.state, &name) {
        (State::Failed(_), _) => Some("needs ca_bundle"),
        (_, Err(_)) => Some("needs dns"),
        _ => None,
    };
    let ((broker, queue), visiting) = match needs {
        Some(needs) => ((Finding::skipped(needs), Finding::skipped(needs)), Duration::ZERO),
        None => timed(visit(mqtt, client_id, deadline)).await,
    };
    let name = name.unwrap_or_else(|failed| failed);
    vec![
        Step::of(Subject::CaBundle, authorities, loading),
        Step::of(Subject::Dns, name, resolving),
        Step::of(Subject::Broker, broker, visiting),
        Step::of(Subject::Queue, queue, Duration::ZERO),
    ]
}

fn authorities(mqtt: &Mqtt) -> Finding {
    let Some(tls) = &mqtt.broker.tls else { return Finding::ok("broker: without TLS") };
    match (source::trusts(mqtt), &tls.ca_file) {
        (Ok(()), Some(file)) => Finding::ok(format!("broker: {}", file.display())),
        (Ok(()), None) => Finding::ok("broker: those of this machine"),
        (Err(error), _) => {
            let fix = "give the PEM file of the authority that signed the broker's certificate \
                       (mqtt.tls.ca_file), and of our own certificate and key, if the broker wants them";
            Finding::failed(Class::Broker, format!("broker: {error:#}"), fix)
        }
    }
}

/// What is found of the broker, and of its queues.
async fn visit(mqtt: &Mqtt, client_id: Option<&str>, deadline: Deadline) -> (Finding, Finding) {
    let skipped = || Finding::skipped("needs the broker");
    if let Err(unreached) = reach(mqtt, deadline).await {
        return (unreached, skipped());
    }
    let made_up = || format!("{}-check-{:08x}", mqtt.client_id, fastrand::u32(..));
    let said = client_id;
    let client_id = said.map_or_else(made_up, str::to_owned);
    match deadline.within(BROKER_MAX, Box::pin(source::look(mqtt, &client_id))).await {
        Some(Ok(seen)) => (found(mqtt, &client_id, &seen), queue(&seen)),
        Some(Err(NotSeen { came: Came::AsAnother, .. })) if said.is_some() => {
            (in_use(&client_id), skipped())
        }
        Some(Err(unseen)) => (not_seen(mqtt, &client_id, unseen), skipped()),
        None => {
            let said = format!("no answer within {} s", BROKER_MAX.as_secs());
            (Finding::failed(Class::Broker, said, unexplained(mqtt, &client_id)), skipped())
        }
    }
}

/// The finding where the name that was said is somebody's.
fn in_use(client_id: &str) -> Finding {
    let said = format!(
        "it has a session of {client_id}: somebody bears that name, or did. Nothing was subscribed, and \
         the session was left as it is; whoever was connected by that name was disconnected once"
    );
    let fix = "say another name (--client-id), which the broker admits and nobody uses, with the same \
               rights as the gateway's";
    Finding::failed(Class::Broker, said, fix)
}

fn not_seen(mqtt: &Mqtt, client_id: &str, NotSeen { said, fix, came }: NotSeen) -> Finding {
    let is_unexplained = fix.is_none();
    let by_name = format!(
        "a broker that admits clients by their client id does not know {client_id}: allow those that \
         begin with {}-check-, or say one that it admits and nobody else uses (--client-id)",
        mqtt.client_id
    );
    let fix = fix.or_else(|| (came != Came::Refused).then(|| unexplained(mqtt, client_id)));
    let is_by_name = came == Came::Refused || came == Came::Out && is_unexplained;
    let fixes: Vec<_> = fix.into_iter().chain(is_by_name.then_some(by_name)).collect();
    Finding::failed(Class::Broker, format!("{said}, as {client_id}"), fixes.join("\n"))
}

fn unexplained(mqtt: &Mqtt, client_id: &str) -> String {
    let speaks = match (&mqtt.broker.tls, &mqtt.broker.websocket_path) {
        (None, None) => "MQTT without TLS",
        (Some(_), None) => "MQTT over TLS",
        (None, Some(_)) => "MQTT over WebSocket",
        (Some(_), Some(_)) => "MQTT over WebSocket and TLS",
    };
    format!(
        "see that the port of mqtt.url speaks {speaks}, and what the broker's log says of {client_id}"
    )
}

/// Whether there is somebody to speak to.
async fn reach(mqtt: &Mqtt, deadline: Deadline) -> Result<(), Finding> {
    let (host, port) = (mqtt.broker.host.as_str(), mqtt.broker.port);
    let failed = |said: String, fix: &str| Err(Finding::failed(Class::Broker, said, fix));
    let limit = connecting_max(mqtt.connect_timeout);
    match deadline.within(limit, TcpStream::connect((host, port))).await {
        Some(Ok(_)) => Ok(()),
        Some(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => {
            let fix = "see that the broker runs, that mqtt.url names its port, and that it listens \
                       for other machines (mosquitto does not before a listener is configured)";
            failed(format!("nobody listens at {host}:{port}"), fix)
        }
        Some(Err(error)) => {
            let fix = "check mqtt.url, and the network between this machine and the broker";
            failed(format!("{host}:{port} cannot be reached: {error}"), fix)
        }
        None => {
            let said = format!("no connection to {host}:{port} within {} s", limit.as_secs());
            failed(said, "check mqtt.url, and whether a firewall is in between")
        }
    }
}

fn found(mqtt: &Mqtt, client_id: &str, seen: &Seen) -> Finding {
    let Seen { welcome, refused, lowered, .. } = seen;
    let filters: usize = mqtt.lanes.iter().map(Vec::len).sum();
    if !refused.is_empty() {
        let refused: Vec<_> =
            refused.iter().map(|(filter, why)| format!("{filter} ({why})")).collect();
        let said = format!("refuses to subscribe {}", refused.join(", "));
        let fix = "allow this user to subscribe to it, in the broker's access list";
        return Finding::failed(Class::Broker, said, fix);
    }
    if mqtt.share_group.is_some() && !welcome.shares {
        let fix = "leave mqtt.share_group out, or take another broker";
        return Finding::failed(Class::Broker, "has no shared subscriptions", fix);
    }
    let filters = if filters == 1 { "1 filter".to_owned() } else { format!("{filters} filters") };
    // In the group we would take publishes away from its members.
    let outside = if mqtt.share_group.is_some() { ", outside of the group" } else { "" };
    let said = format!("{filters} subscribed as {client_id}{outside}; {}", window(mqtt, welcome));
    if !lowered.is_empty() {
        let fix = "have the broker grant QoS 1: at QoS 0 it keeps nothing while the gateway is away \
                   or slow";
        let said = format!("{said}; it grants no more than QoS 0 for {}", lowered.join(", "));
        return Finding::warning(said, fix);
    }
    Finding::ok(said)
}

/// How many publishes may be on their way, as far as the broker says.
fn window(mqtt: &Mqtt, welcome: &Welcome) -> String {
    let ours = mqtt.receive_maximum;
    match (mqtt.version, welcome.receive_maximum) {
        (MqttVersion::V3, _) => "how many unacknowledged publishes it sends is learned".to_owned(),
        (MqttVersion::V5, Some(theirs)) => format!(
            "may send {ours} unacknowledged publishes, and itself takes {theirs} of a client"
        ),
        (MqttVersion::V5, None) => format!("may send {ours} unacknowledged publishes"),
    }
}

fn queue(seen: &Seen) -> Finding {
    match seen.dropped {
        Some(0) => Finding::ok("has dropped nothing since it started"),
        Some(dropped) => {
            let said = format!(
                "the broker dropped {dropped} publishes since it started, because the queue of a \
                 subscriber was full"
            );
            let fix = "have it keep what an outage may bring (mosquitto: max_queued_messages, 1000 \
                       unless configured)";
            Finding::warning(said, fix)
        }
        None => Finding::skipped(
            "the broker does not say what it drops; mosquitto keeps 1000 publishes for a gateway \
             that is away (max_queued_messages), and no more",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Config, Qos};

    fn mqtt(more: &str) -> Mqtt {
        let text = format!(
            "[mqtt]\nurl = 'mqtt://localhost'\nclient_id = 'edge-1'\ntopics = ['a/#', 'b/#']\n{more}\n\
             [stream]\nname = 's'\nregion = 'us-east-1'\n"
        );
        Config::parse(&text).unwrap().mqtt
    }

    fn seen() -> Seen {
        let welcome = Welcome {
            session_present: false,
            keep_alive: None,
            receive_maximum: Some(20),
            qos_max: Qos::AtLeastOnce,
            shares: true,
        };
        Seen { welcome, refused: Vec::new(), lowered: Vec::new(), dropped: Some(0) }
    }

    #[test]
    fn a_filter_that_is_refused_is_named_with_the_reason() {
        let refused = vec![("b/#".to_owned(), "NotAuthorized".to_owned())];
        let finding = found(&mqtt(""), "edge-1-check", &Seen { refused, ..seen() });
        assert_eq!(finding.state.class(), Some(Class::Broker));
        assert_eq!(finding.said, "refuses to subscribe b/# (NotAuthorized)");
    }

    #[test]
    fn a_broker_that_cannot_do_what_is_configured_is_told_before_it_matters() {
        let poor = Welcome { shares: false, ..seen().welcome };
        let lowered = vec!["a/#".to_owned()];
        let seen = Seen { welcome: poor, lowered, ..seen() };
        let finding = found(&mqtt(""), "c", &seen);
        assert_eq!(finding.state, State::Warning);
        assert!(finding.said.ends_with("no more than QoS 0 for a/#"), "{finding:?}");
        let shared = mqtt("share_group = 'g'");
        assert_eq!(found(&shared, "c", &seen).state, State::Failed(Class::Broker));
    }

    #[test]
    fn the_window_is_told_as_far_as_the_broker_tells() {
        let said = found(&mqtt(""), "edge-1-check", &seen()).said;
        assert_eq!(
            said,
            "2 filters subscribed as edge-1-check; may send 1000 unacknowledged publishes, and itself \
             takes 20 of a client"
        );
        let said = found(&mqtt("version = 3"), "c", &seen()).said;
        assert!(said.ends_with("is learned"), "{said}");
    }

    #[test]
    fn a_broker_that_dropped_publishes_has_too_little_room() {
        let of = |dropped| queue(&Seen { dropped, ..seen() }).state;
        let states = [Some(0), Some(7), None].map(of);
        assert_eq!(states, [State::Ok, State::Warning, State::Skipped]);
    }
}
