//! A connection, made again and again until nothing is left to do.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, watch};

use crate::ack::Receipt;
use crate::backoff::Backoff;
use crate::config::{Config, Mqtt, MqttVersion};
use crate::login;
use crate::metrics::Counters;

use super::look::{Came, knock};
use super::session::{End, Session};
use super::v3::V3;
use super::v5::V5;
use super::window::Window;
use super::wire::Wire;
use super::{Dialect, Fault, Fresh, Intake, subscriptions, tls};

/// What a connection is given.
#[derive(Debug)]
pub struct Lane {
    /// Its number, from 0.
    pub index: u16,
    /// The configuration of the gateway.
    pub config: Arc<Config>,
    /// Where its publishes go. Dropped when it stops taking in.
    pub intake: mpsc::Sender<Intake>,
    /// Receipts of what is safe. When it ends, nothing more will be settled.
    pub settled: mpsc::Receiver<Vec<Receipt>>,
    /// True once the program is to stop.
    pub stop: watch::Receiver<bool>,
    /// For how long no gateway ran before this one, if one did.
    pub away: Duration,
    /// What is counted.
    pub counters: Arc<Counters>,
}

/// Runs one connection until everything is settled after a stop, or the next stage is gone.
pub async fn run(lane: Lane) {
    run_as(lane, None).await;
}

/// The same for an [onlooker](super::onlooker) beside the gateway, whose settings are `own`, and by
/// whose name [nobody is known](knock) just now. That may change with every connection that is lost:
/// ends, too, when the broker takes us for somebody else.
pub async fn run_beside(lane: Lane, own: &Mqtt) {
    run_as(lane, Some(own)).await;
}

async fn run_as(lane: Lane, beside: Option<&Mqtt>) {
    let mqtt = &lane.config.mqtt;
    let client_id = mqtt.lane_client_id(lane.index.into());
    let status_topic = mqtt.status_topic.then(|| format!("tidegate/{client_id}/status"));
    let status = status_topic.as_deref();
    if lane.index == 0 {
        subscriptions::say_gone_lanes(mqtt, &lane.config.state_dir);
    }
    match mqtt.version {
        MqttVersion::V5 => {
            let wire = Wire::new(V5::new(mqtt, &client_id, status), mqtt);
            let window = Window::new(Some(mqtt.receive_maximum));
            let session = Session::new(lane, window, client_id.clone(), status_topic);
            Box::pin(live(wire, session, beside.map(|own| (own, &*client_id)))).await;
        }
        MqttVersion::V3 => {
            let wire = Wire::new(V3::new(mqtt, &client_id, status), mqtt);
            let window = Window::new(None);
            let session = Session::new(lane, window, client_id.clone(), status_topic);
            Box::pin(live(wire, session, beside.map(|own| (own, &*client_id)))).await;
        }
    }
}

/// Connects again and again until the session is over; one beside the gateway, by the name that is given
/// with the gateway's settings, until that is somebody else's.
async fn live<D: Dialect>(mut wire: Wire<D>, mut session: Session, beside: Option<(&Mqtt, &str)>) {
    let mqtt = session.config.mqtt.clone();
    let backoff = Backoff::new(mqtt.reconnect);
    let mut failures = 0;
    loop {
        let free = match beside {
            Some((own, client_id)) if failures > 0 => Box::pin(knock(own, client_id)).await,
            Some(_) | None => Ok(()),
        };
        let end = match (free, fresh(&mqtt)) {
            (Ok(()), Ok(fresh)) => session.converse(&mut wire, fresh).await,
            (Err(not_seen), _) if not_seen.came == Came::AsAnother => End::Over,
            (Err(not_seen), _) => End::Fault(not_seen.into()),
            (_, Err(error)) => End::Fault(Fault::refusal(format!("{error:#}"), None)),
        };
        wire.hang_up();
        session.ledger.disconnected();
        let fault = match end {
            End::Over => return,
            End::Fault(fault) => fault,
        };
        failures = if session.was_brief() { failures + 1 } else { 1 };
        let fault = if session.was_connected() { fault.after_connects(failures) } else { fault };
        let pause = match fault.refused {
            true => mqtt.reconnect.1.mul_f64(0.5 + 0.5 * fastrand::f64()),
            false => backoff.pause(failures, fastrand::f64()),
        };
        session.say(&fault, pause);
        if session.wait(pause).await.is_break() {
            return;
        }
    }
}

pub(super) fn fresh(mqtt: &Mqtt) -> anyhow::Result<Fresh> {
    Ok(Fresh {
        login: mqtt.login.as_ref().map(|login| login::read(login, "mqtt")).transpose()?,
        tls: mqtt.broker.tls.as_ref().map(tls::client_config).transpose()?,
    })
}
