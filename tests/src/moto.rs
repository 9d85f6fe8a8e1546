//! moto: somebody else's Kinesis, and token service.

use aws_sdk_kinesis::Client;
use aws_sdk_kinesis::config::{BehaviorVersion, Config, Credentials, Region};
use aws_sdk_kinesis::types::ShardIteratorType;
use bytes::Bytes;
use serde::Deserialize;

use crate::mosquitto::free_port;
use crate::process::{Process, command};

const INSTALL: &str = "pip install 'moto[server]'";

/// Makes a user who may assume a role, and a role that trusts him if he says an external id. From then
/// on every signature and permission is checked.
const GUARD: &str = r#"
import boto3, json
endpoint, external_id = sys.argv[1:]
login = dict(aws_access_key_id="key", aws_secret_access_key="secret", region_name="us-east-1")
iam = boto3.client("iam", endpoint_url=endpoint, **login)
def policy(action, **more):
    # Streams are checked against * by moto, whichever they are.
    statement = {"Effect": "Allow", "Action": action, **(more or {"Resource": "*"})}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})
user = iam.create_user(UserName="gateway")["User"]["Arn"]
iam.put_user_policy(UserName="gateway", PolicyName="p", PolicyDocument=policy("sts:AssumeRole"))
trust = policy("sts:AssumeRole", Principal={"AWS": user},
               Condition={"StringEquals": {"sts:ExternalId": external_id}})
role = iam.create_role(RoleName="writer", AssumeRolePolicyDocument=trust)["Role"]["Arn"]
iam.put_role_policy(RoleName="writer", PolicyName="p", PolicyDocument=policy("kinesis:PutRecords"))
key = iam.create_access_key(UserName="gateway")["AccessKey"]
reset(endpoint, b"0")
print(json.dumps({"id": key["AccessKeyId"], "secret": key["SecretAccessKey"], "role_arn": role}))
"#;

/// Checks nothing any more.
const UNGUARD: &str = r#"reset(sys.argv[1], b"inf")"#;

/// Lets so many requests pass unchecked.
const RESET: &str = r#"
import sys, urllib.request
def reset(endpoint, unchecked):
    plain = {"Content-Type": "text/plain"}
    url = endpoint + "/moto-api/reset-auth"
    urllib.request.urlopen(urllib.request.Request(url, unchecked, plain))
"#;

/// A user who may assume a role.
#[derive(Debug, Deserialize)]
pub struct User {
    /// The id of the user's key.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// The role, which may put records.
    pub role_arn: String,
}

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
        let mut command = command("moto_server");
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

    /// Makes a user who may do nothing but assume a role, and the role trusts nobody else, nor him
    /// without `external_id`. From now on moto checks who calls.
    #[must_use]
    pub fn guard(&self, external_id: &str) -> User {
        let answer = python(GUARD, &[&self.endpoint(), external_id]);
        serde_json::from_slice(&answer).expect("what the script prints")
    }

    /// From now on moto takes everybody's word again.
    pub fn unguard(&self) {
        python(UNGUARD, &[&self.endpoint()]);
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

/// What a script prints.
fn python(script: &str, arguments: &[&str]) -> Vec<u8> {
    let output =
        command("python3").arg("-c").arg(format!("{RESET}{script}")).args(arguments).output();
    let output = output.expect("moto needs python3");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    output.stdout
}

fn endpoint(port: u16) -> String {
    format!("http://127.0.0.1:{port}")
}
