//! A visit to the broker: connects, asks for the filters, hears what it says of itself, and leaves.
//!
//! The gateway beside it is not disturbed: see [`onlooker`]. Nor is it where the broker makes client
//! ids of something else, such as the user's name, and so takes a visitor for the gateway: see
//! [`knock`].

use std::time::Duration;

use anyhow::Result;
use tokio::time::{sleep, timeout};

use crate::config::{Mqtt, MqttVersion, Qos, Retained, Subscription};
use crate::limits::{FILTERS_PER_SUBSCRIBE_MAX, GOODBYE_MAX};

use super::v3::V3;
use super::v5::V5;
use super::wire::{Reading, Wire};
use super::{Delivery, Dialect, Event, Fault, Request, Welcome, lane, tls};

/// Where mosquitto says how many publishes it dropped since it started, because the queue of a
/// subscriber was full. It is retained.
const DROPPED: &str = "$SYS/broker/publish/messages/dropped";

/// For how long what is retained there is waited for. It comes with the answer to the
/// subscription, from a broker that has it.
const DROPPED_WAIT_MAX: Duration = Duration::from_millis(500);

/// For how long the broker may take to say that. One that does not know such topics may be silent.
const ITSELF_MAX: Duration = Duration::from_secs(2);

/// What lies between two connections by one client id: AWS IoT Core takes one a second.
const BETWEEN_VISITS: Duration = Duration::from_millis(1_100);

/// What a visitor saw.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// What the broker said when it let us in.
    pub welcome: Welcome,
    /// The filters that it refuses, each with its reason.
    pub refused: Vec<(String, String)>,
    /// The filters that are to be had at QoS 1 and are granted at QoS 0.
    pub lowered: Vec<String>,
    /// How many publishes it dropped since it started because a queue was full, if it says so.
    pub dropped: Option<u64>,
}

/// Why there was nothing to see.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NotSeen {
    /// What happened.
    pub said: String,
    /// What to do, where that is known.
    pub fix: Option<String>,
    /// How far we came.
    pub came: Came,
}

/// How far a visit came that saw nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// Not in: the broker says that it does not want us.
    Refused,
    /// Not in, for another reason: some brokers close the connection where they refuse.
    Out,
    /// In, until the connection broke.
    In,
    /// In, as somebody else: the broker has a session by the name that we said.
    AsAnother,
}

impl NotSeen {
    fn of(Fault { refused, said, fix }: Fault, came: Came) -> Self {
        Self { said, fix, came: if refused { Came::Refused } else { came } }
    }
}

impl From<NotSeen> for Fault {
    fn from(NotSeen { said, fix, came }: NotSeen) -> Self {
        Self { refused: came == Came::Refused, said, fix }
    }
}

/// The same broker and topics, for a client that leaves no trace. Its session ends with the
/// connection, so that no broker keeps anything for it; QoS 0 asks no broker to wait for it; a
/// member of a share group would take publishes away from the others, so the plain filters are
/// subscribed. What the broker had retained is not sent to it.
#[must_use]
pub fn onlooker(mqtt: &Mqtt, client_id: String) -> Mqtt {
    let filters = mqtt.lanes.iter().flatten();
    let looks_at =
        |subscription: &Subscription| Subscription { qos: Qos::AtMostOnce, ..subscription.clone() };
    Mqtt {
        client_id,
        lanes: vec![filters.map(looks_at).collect()],
        share_group: None,
        session_expiry: Duration::ZERO,
        retained: Retained::Skip,
        status_topic: false,
        ..mqtt.clone()
    }
}

/// Looks whether the files for TLS, if it is spoken, are fit to be used.
///
/// # Errors
/// Names the file that is not.
pub fn trusts(mqtt: &Mqtt) -> Result<()> {
    mqtt.broker.tls.as_ref().map_or(Ok(()), |tls| tls::client_config(tls).map(drop))
}

/// Finds out whether the broker has a session of `client_id`, a name that nobody else bears, and ends
/// none: it connects as the gateway does, asks for nothing, acknowledges nothing, and leaves. To be
/// done before anything else is by that name, each time: a session that is there is somebody else's,
/// which the visits of an onlooker would end, and with it all that waits there. In MQTT 3.1.1 an empty
/// session is left by that name, until the next visit. Takes a second longer than the broker, so that
/// it takes the next connection.
///
/// # Errors
/// When the broker has one, or does not let us in.
pub async fn knock(mqtt: &Mqtt, client_id: &str) -> Result<(), NotSeen> {
    // A session that is there takes over the expiry of who comes, so it must be the gateway's.
    let guest = Mqtt {
        lanes: Vec::new(),
        session_expiry: mqtt.session_expiry,
        ..onlooker(mqtt, client_id.to_owned())
    };
    let Visited { welcome, .. } = Box::pin(visit(&guest)).await?;
    if welcome.session_present {
        let said = format!(
            "takes us for somebody else: it has a session of {client_id}, a name made up just now. \
             Nothing was subscribed, and the session was left as it is"
        );
        let fix = "have it keep the client ids that clients say (mosquitto: leave out \
                   use_username_as_clientid), or look on with a login of its own: this one is the \
                   gateway's, which the broker disconnects when we come";
        return Err(NotSeen { said, fix: Some(fix.to_owned()), came: Came::AsAnother });
    }
    sleep(BETWEEN_VISITS).await;
    Ok(())
}

/// Visits the broker as `client_id`. Takes as long as the broker does: bound it.
///
/// # Errors
/// When it does not let us in, takes us for somebody else, or closes the connection before it has
/// answered.
pub async fn look(mqtt: &Mqtt, client_id: &str) -> Result<Seen, NotSeen> {
    knock(mqtt, client_id).await?;
    let visitor = visitor(mqtt, client_id);
    let Visited { welcome, answers, dropped } = Box::pin(visit(&visitor)).await?;
    let mut seen = Seen { welcome, refused: Vec::new(), lowered: Vec::new(), dropped };
    for (Subscription { filter, qos }, answer) in visitor.lanes.into_iter().flatten().zip(answers) {
        match answer {
            Err(why) => seen.refused.push((filter, why)),
            Ok(Qos::AtMostOnce) if qos == Qos::AtLeastOnce => seen.lowered.push(filter),
            Ok(_) => {}
        }
    }
    Ok(seen)
}

/// An onlooker that sees what is granted, where that costs nothing.
fn visitor(mqtt: &Mqtt, client_id: &str) -> Mqtt {
    let onlooker = onlooker(mqtt, client_id.to_owned());
    match mqtt.version {
        // What is sent to us is not acknowledged, and forgotten with the session.
        MqttVersion::V5 => {
            Mqtt { lanes: vec![mqtt.lanes.iter().flatten().cloned().collect()], ..onlooker }
        }
        // All that is retained is sent to us: at QoS 1 it would fill a queue, and be dropped there.
        MqttVersion::V3 => onlooker,
    }
}

fn count(payload: &[u8]) -> Option<u64> {
    std::str::from_utf8(payload).ok()?.trim().parse().ok()
}

/// What came of one connection.
struct Visited {
    welcome: Welcome,
    /// One entry a filter, and what the broker says of the one about itself.
    answers: Vec<Result<Qos, String>>,
    /// How many publishes the broker dropped, if it says so.
    dropped: Option<u64>,
}

/// Subscribes to the filters of an onlooker, if the broker knows no session of its name, hears how many
/// publishes it dropped, and leaves.
async fn visit(onlooker: &Mqtt) -> Result<Visited, NotSeen> {
    let client_id = onlooker.client_id.as_str();
    match onlooker.version {
        MqttVersion::V5 => {
            let wire = Wire::new(V5::new(onlooker, client_id, None), onlooker);
            Box::pin(converse(wire, onlooker)).await
        }
        MqttVersion::V3 => {
            let wire = Wire::new(V3::new(onlooker, client_id, None), onlooker);
            Box::pin(converse(wire, onlooker)).await
        }
    }
}

async fn converse<D: Dialect>(mut wire: Wire<D>, onlooker: &Mqtt) -> Result<Visited, NotSeen> {
    let out = |fault| NotSeen::of(fault, Came::Out);
    let fresh = lane::fresh(onlooker).map_err(|error| out(Fault::passing(format!("{error:#}"))))?;
    let welcome = wire.open(fresh).await.map_err(out)?;
    let mut visited = Visited { welcome, answers: Vec::new(), dropped: None };
    let goodbye = match welcome.session_present {
        true => Request::Disconnect,
        false => {
            let asked = ask(&mut wire, onlooker, &mut visited).await;
            asked.map_err(|fault| NotSeen::of(fault, Came::In))?;
            Request::Leave
        }
    };
    wire.say(|_| goodbye);
    let closed = async { while hear(&mut wire, &mut visited).await.is_ok() {} };
    drop(timeout(GOODBYE_MAX, closed).await);
    Ok(visited)
}

/// Asks for the filters of an onlooker, if there are any, and then for what the broker dropped: some
/// brokers close the connection of who asks for what they have not.
async fn ask(
    wire: &mut Wire<impl Dialect>,
    onlooker: &Mqtt,
    visited: &mut Visited,
) -> Result<(), Fault> {
    let filters: Vec<_> = onlooker.lanes.iter().flatten().cloned().collect();
    for filters in filters.chunks(FILTERS_PER_SUBSCRIBE_MAX) {
        wire.say(|packet_id| Request::Subscribe { packet_id, filters });
    }
    while visited.answers.len() < filters.len() {
        hear(wire, visited).await?;
    }
    if !filters.is_empty() {
        let itself = [Subscription { filter: DROPPED.to_owned(), qos: Qos::AtMostOnce }];
        wire.say(|packet_id| Request::Subscribe { packet_id, filters: &itself });
        let is_answered = |visited: &Visited| visited.answers.len() > filters.len();
        let is_told = |visited: &Visited| visited.dropped.is_some();
        // Nothing came, or came in time: either is an answer.
        if hear_until(is_answered, ITSELF_MAX, wire, visited).await {
            hear_until(is_told, DROPPED_WAIT_MAX, wire, visited).await;
        }
    }
    Ok(())
}

/// Hears the broker until it has said this, and whether it has, within `limit`.
async fn hear_until(
    is_said: impl Fn(&Visited) -> bool,
    limit: Duration,
    wire: &mut Wire<impl Dialect>,
    visited: &mut Visited,
) -> bool {
    let hearing = async { while !is_said(visited) && hear(wire, visited).await.is_ok() {} };
    drop(timeout(limit, hearing).await);
    is_said(visited)
}

async fn hear(wire: &mut Wire<impl Dialect>, visited: &mut Visited) -> Result<(), Fault> {
    wire.turn(Reading::On).await?;
    while let Some(event) = wire.next()? {
        match event {
            Event::Subscribed(answers) => visited.answers.extend(answers),
            Event::Publish(Delivery { topic, payload, .. }) if topic == DROPPED => {
                visited.dropped = count(&payload);
            }
            Event::Connected(_) | Event::Publish(_) | Event::Unsubscribed | Event::Other => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    #[test]
    fn an_onlooker_neither_takes_over_nor_shares_nor_leaves_a_session() {
        let text = "[mqtt]\nurl = 'mqtt://localhost'\nclient_id = 'edge-1'\nshare_group = 'g'\n\
            status_topic = true\nlanes = [['a/#'], ['b/+']]\n\
            [stream]\nname = 's'\nregion = 'us-east-1'\n";
        let mqtt = Config::parse(text).unwrap().mqtt;
        let onlooker = onlooker(&mqtt, "visitor".to_owned());
        assert_eq!(onlooker.client_id, "visitor");
        assert_eq!((onlooker.share_group, onlooker.status_topic), (None, false));
        assert_eq!((onlooker.session_expiry, onlooker.retained), (Duration::ZERO, Retained::Skip));
        let [lane] = &onlooker.lanes[..] else { panic!("one connection") };
        let looks_at: Vec<_> = lane.iter().map(|one| (one.filter.as_str(), one.qos)).collect();
        assert_eq!(looks_at, [("a/#", Qos::AtMostOnce), ("b/+", Qos::AtMostOnce)]);
    }

    #[test]
    fn the_quality_of_service_is_tried_where_what_is_retained_need_not_be_sent() {
        for (version, qos) in [(3, Qos::AtMostOnce), (5, Qos::AtLeastOnce)] {
            let text = format!(
                "[mqtt]\nurl = 'mqtt://localhost'\nclient_id = 'c'\ntopics = ['a/#']\n\
                 version = {version}\n[stream]\nname = 's'\nregion = 'us-east-1'\n"
            );
            let visitor = visitor(&Config::parse(&text).unwrap().mqtt, "visitor");
            assert_eq!(visitor.session_expiry, Duration::ZERO);
            assert_eq!(visitor.lanes[0][0].qos, qos, "{version}");
        }
    }
}
