//! The `[mqtt]` table.

use super::syntax::{placeholders, plain};
use super::url::Url;
use super::{login, path, pauses, seconds, subscriptions};
use crate::config::file::{Checked, Table};
use crate::config::{Broker, Mqtt, MqttVersion, Retained, Tls};
use crate::limits;

pub(super) fn read(table: &Table<'_>) -> Mqtt {
    let versions = [(5, MqttVersion::V5), (3, MqttVersion::V3)];
    let version = table.item("version").and_then(|item| item.one_of(&versions));
    let retained = [("deliver", Retained::Deliver), ("skip", Retained::Skip)];
    let lanes = subscriptions::lanes(table);
    let status_topic = table.flag("status_topic", false);
    let mqtt = Mqtt {
        broker: broker(table),
        client_id: client_id(table, lanes.len(), status_topic),
        lanes,
        share_group: table.text("share_group", share_group),
        version: version.unwrap_or(MqttVersion::V5),
        login: login::read(table),
        session_expiry: seconds(table, "session_expiry_s", limits::SESSION_EXPIRY_S),
        receive_maximum: table.number("receive_maximum", limits::RECEIVE_MAXIMUM),
        packet_bytes_max: table.bytes("packet_bytes_max", limits::PACKET_BYTES),
        keep_alive: seconds(table, "keep_alive_s", limits::KEEP_ALIVE_S),
        connect_timeout: seconds(table, "connect_timeout_s", limits::MQTT_CONNECT_TIMEOUT_S),
        reconnect: pauses(
            table,
            ["reconnect_ms_min", "reconnect_ms_max"],
            [limits::RECONNECT_MS_MIN, limits::RECONNECT_MS_MAX],
        ),
        retained: table.choice("retained", &retained).unwrap_or(Retained::Deliver),
        status_topic,
    };
    note_only_in_version_5(table, mqtt.version);
    mqtt
}

fn note_only_in_version_5(table: &Table<'_>, version: MqttVersion) {
    if version == MqttVersion::V3 {
        for key in ["session_expiry_s", "receive_maximum"] {
            if table.states(key) {
                table.fault(key, "exists in MQTT 5 only: leave it out, or say version = 5");
            }
        }
    }
}

fn client_id(table: &Table<'_>, lanes: usize, in_status_topic: bool) -> String {
    // What is added to it: the number of a lane, and what the status topic has around it.
    let lane_bytes = if lanes > 1 { "-64".len() } else { 0 };
    let topic_bytes = if in_status_topic { "tidegate//status".len() } else { 0 };
    let bytes_max = limits::MQTT_STRING_BYTES_MAX - lane_bytes - topic_bytes;
    let check = |text: &str| {
        let fixed = placeholders(text).is_ok_and(|names| names.is_empty());
        if !fixed {
            let why = "the broker keeps our session under it from one start to the next";
            return Err(format!("must be fixed, without braces: {why}"));
        }
        if in_status_topic && text.contains(['+', '#']) {
            let why = "status_topic makes a topic of it";
            return Err(format!("must be without + and #, because {why}"));
        }
        plain(text, bytes_max).map(str::to_owned)
    };
    let what = "a fixed name of this gateway, unlike that of any other client of the broker";
    table.required("client_id", what).and_then(|item| item.text(check)).unwrap_or_default()
}

fn share_group(text: &str) -> Checked<String> {
    if text.contains(['/', '+', '#']) {
        return Err("must be without /, + and #".to_owned());
    }
    plain(text, limits::NAME_BYTES_MAX).map(str::to_owned)
}

fn broker(table: &Table<'_>) -> Broker {
    let what = "where the broker is, such as \"mqtt://127.0.0.1:1883\"";
    let tls_table = table.table("tls");
    let tls = tls(&tls_table);
    let broker = table.required("url", what).and_then(|item| item.text(broker_url));
    let Some(mut broker) = broker else {
        return Broker { host: String::new(), port: 0, websocket_path: None, tls: None };
    };
    if broker.tls.is_some() {
        broker.tls = Some(tls);
    } else if tls_table.is_written() {
        table.fault("tls", "needs a url that begins with mqtts:// or wss://");
    }
    broker
}

fn broker_url(text: &str) -> Checked<Broker> {
    let url = Url::parse(text)?;
    if url.has_login {
        let instead = "use username, and password_file or password_env";
        return Err(format!("must be without user:password@: {instead}"));
    }
    let (port, encrypted, websocket) = match url.scheme {
        "mqtt" => (1883, false, false),
        "mqtts" => (8883, true, false),
        "ws" => (80, false, true),
        "wss" => (443, true, true),
        _ => return Err("must begin with mqtt://, mqtts://, ws:// or wss://".to_owned()),
    };
    if !websocket && !matches!(url.path, "" | "/") {
        return Err("must end after the port: only ws:// and wss:// have a path".to_owned());
    }
    let slash = if url.path.starts_with('/') { "" } else { "/" };
    Ok(Broker {
        host: url.host.to_owned(),
        port: url.port.unwrap_or(port),
        websocket_path: websocket.then(|| format!("{slash}{}", url.path)),
        tls: encrypted.then(Tls::default),
    })
}

fn tls(table: &Table<'_>) -> Tls {
    let ca_file = path(table, "ca_file");
    let pair = [path(table, "cert_file"), path(table, "key_file")];
    for (key, other) in [("cert_file", "key_file"), ("key_file", "cert_file")] {
        if table.states(key) && table.item(other).is_none() {
            table.fault(key, format!("needs {other} beside it"));
        }
    }
    let client = match pair {
        [Some(cert), Some(key)] => Some((cert, key)),
        _ => None,
    };
    Tls { ca_file, client }
}
