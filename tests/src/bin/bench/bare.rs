//! The floor: MQTT 5 into `PutRecords` and nothing else. It acknowledges on arrival, looks into
//! nothing, tries nothing again, and so loses records wherever anything goes wrong.

use std::time::Duration;

use anyhow::{Context, Result};
use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::retry::RetryConfig;
use aws_sdk_kinesis::config::{
    BehaviorVersion, Config, Credentials, Region, StalledStreamProtectionConfig,
};
use aws_sdk_kinesis::primitives::Blob;
use aws_sdk_kinesis::types::PutRecordsRequestEntry;
use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use rumqttc::v5::Event;
use rumqttc::v5::mqttbytes::QoS;
use rumqttc::v5::mqttbytes::v5::{Packet, Publish};
use tokio::time::sleep_until;

use crate::load::{now, open};
use crate::reading::FILTER;
use crate::subject::{BARE_CLIENT_ID, CONNECTED};

const BATCH_RECORDS: usize = 500;
const LINGER: Duration = Duration::from_millis(50);
const REQUESTS_IN_FLIGHT: usize = 4;

/// Runs until it is killed or something fails.
pub(crate) async fn run(broker_port: u16, endpoint: &str) -> Result<()> {
    let stream = kinesis(endpoint);
    let (client, mut events) = open(broker_port, BARE_CLIENT_ID);
    let mut requests = FuturesUnordered::new();
    let mut batch = Vec::new();
    let mut due = now();
    loop {
        let full = batch.len() == BATCH_RECORDS;
        tokio::select! {
            biased;
            Some(answer) = requests.next() => answer?,
            () = sleep_until(due), if !batch.is_empty() && requests.len() < REQUESTS_IN_FLIGHT => {
                requests.push(put(&stream, std::mem::take(&mut batch)));
            }
            event = events.poll(), if !full => {
                let event = event?;
                if let Event::Incoming(Packet::Publish(publish)) = &event {
                    if batch.is_empty() {
                        due = now() + LINGER;
                    }
                    batch.push(entry(publish)?);
                    if batch.len() == BATCH_RECORDS {
                        due = now();
                    }
                } else if let Event::Incoming(Packet::ConnAck(_)) = &event {
                    client.try_subscribe(FILTER, QoS::AtLeastOnce)?;
                    std::io::Write::write_all(&mut std::io::stderr(), CONNECTED.as_bytes())?;
                }
            }
        }
    }
}

fn kinesis(endpoint: &str) -> Client {
    let config = Config::builder()
        .behavior_version(BehaviorVersion::latest())
        .region(Region::new("us-east-1"))
        .credentials_provider(Credentials::new("bench", "bench", None, None, "bench"))
        .retry_config(RetryConfig::standard().with_max_attempts(1))
        .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
        .endpoint_url(endpoint);
    Client::from_conf(config.build())
}

fn entry(publish: &Publish) -> Result<PutRecordsRequestEntry> {
    PutRecordsRequestEntry::builder()
        .data(Blob::new(publish.payload.to_vec()))
        .partition_key(str::from_utf8(&publish.topic)?)
        .build()
        .context("cannot make an entry")
}

async fn put(stream: &Client, entries: Vec<PutRecordsRequestEntry>) -> Result<()> {
    let call = stream.put_records().stream_name("telemetry").set_records(Some(entries));
    call.send().await.context("PutRecords failed")?;
    Ok(())
}
