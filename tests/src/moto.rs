//! moto: somebody else's Kinesis.

use std::process::Command;

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_kinesis::types::ShardIteratorType;
use bytes::Bytes;

use crate::mosquitto::free_port;
use crate::process::Process;

const INSTALL: &str = "pip install 'moto[server]'";

/// A running moto with one stream, named `telemetry`.
#[derive(Debug)]
pub struct Moto {
    port: u16,
    client: Client,
    process: Process,
}

impl Moto {
    /// Starts it and creates the stream.
    pub async fn start(shards: i32) -> Self {
        let port = free_port();
        let mut command = Command::new("moto_server");
        command.args(["-H", "127.0.0.1", "-p", &port.to_string()]);
        let process = Process::start("moto_server", &mut command, INSTALL);
        let config = Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .region(Region::new("us-east-1"))
            .credentials_provider(Credentials::new("key", "secret", None, None, "test"))
            .endpoint_url(endpoint(port));
        let moto = Self { port, client: Client::from_conf(config.build()), process };
        moto.process.says("Running on").await;
        let create = moto.client.create_stream().stream_name("telemetry").shard_count(shards);
        create.send().await.expect("moto creates a stream");
        moto
    }

    /// Where it is.
    #[must_use]
    pub fn endpoint(&self) -> String {
        endpoint(self.port)
    }

    /// The data of everything in the stream, shard by shard, in order.
    pub async fn records(&self) -> Vec<Bytes> {
        self.shards().await.concat()
    }

    /// The data in each shard, in order; the shards in the order of their numbers.
    pub async fn shards(&self) -> Vec<Vec<Bytes>> {
        let shards = self.client.list_shards().stream_name("telemetry").send().await;
        let mut of_shards = Vec::new();
        for shard in shards.expect("moto lists shards").shards() {
            of_shards.push(self.of_shard(shard.shard_id()).await);
        }
        of_shards
    }

    async fn of_shard(&self, shard_id: &str) -> Vec<Bytes> {
        let iterator = self.client.get_shard_iterator().stream_name("telemetry");
        let iterator = iterator
            .shard_id(shard_id)
            .shard_iterator_type(ShardIteratorType::TrimHorizon)
            .send()
            .await
            .expect("moto makes iterators");
        let mut records = Vec::new();
        let mut next = iterator.shard_iterator;
        while let Some(iterator) = next {
            let got = self.client.get_records().shard_iterator(iterator).send().await;
            let got = got.expect("moto reads records");
            records.extend(got.records().iter().map(|r| Bytes::copy_from_slice(r.data.as_ref())));
            next = got.next_shard_iterator.filter(|_| !got.records.is_empty());
        }
        records
    }
}

fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
