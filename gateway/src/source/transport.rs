//! How rumqttc wants to be told where the broker is.

use std::sync::Arc;

use rumqttc::{TlsConfiguration, Transport};
use rustls::ClientConfig;

use crate::config::Broker;

/// The address and the port; for WebSocket the address is a URL.
pub(super) fn address(broker: &Broker) -> (String, u16) {
    let Broker { host, port, .. } = broker;
    let address = match (&broker.websocket_path, &broker.tls) {
        (None, _) => host.clone(),
        (Some(path), None) => format!("ws://{host}:{port}{path}"),
        (Some(path), Some(_)) => format!("wss://{host}:{port}{path}"),
    };
    (address, *port)
}

/// The transport without TLS; [`encrypted`] replaces it before a connect that wants TLS.
pub(super) fn plain(broker: &Broker) -> Transport {
    if broker.websocket_path.is_some() { Transport::Ws } else { Transport::Tcp }
}

/// The transport with TLS.
pub(super) fn encrypted(websocket: bool, tls: Arc<ClientConfig>) -> Transport {
    let tls = TlsConfiguration::Rustls(tls);
    if websocket { Transport::wss_with_config(tls) } else { Transport::tls_with_config(tls) }
}
