//! The way to the AWS side: keys of `[stream]`, and `[stream.proxy]`.

use super::{check, check_lines, config, stream};
use crate::config::{Login, Network, Password, Proxy, ProxyServer};

const HOST: &str = "must be a host or domain such as \"example.com\", an address, or a network such \
                    as \"10.0.0.0/8\"";

#[test]
fn without_a_word_the_way_is_that_of_the_environment_to_the_endpoint_of_the_region() {
    let network = stream("").network;
    assert_eq!(network, Network::default());
    assert_eq!(network.proxy, Proxy::Environment);
}

#[test]
fn every_key_of_the_way_is_read() {
    let network = stream(
        "stream.ca_file = '/ca'\nstream.fips = true\nstream.dual_stack = true\n\
         stream.proxy.url = 'http://p:3128'\nstream.proxy.username = 'joe'\n\
         stream.proxy.password_file = '/pw'\nstream.proxy.except = ['a.example', '10.0.0.0/8']",
    )
    .network;
    let login = Login { username: "joe".to_owned(), password: Some(Password::File("/pw".into())) };
    let proxy = ProxyServer {
        url: "http://p:3128".to_owned(),
        login: Some(login),
        except: vec!["a.example".to_owned(), "10.0.0.0/8".to_owned()],
    };
    let expected = Network {
        endpoint: None,
        ca_file: Some("/ca".into()),
        fips: true,
        dual_stack: true,
        proxy: Proxy::At(proxy),
    };
    assert_eq!(network, expected);
    assert_eq!(stream("stream.proxy.url = 'off'").network.proxy, Proxy::Off);
    let endpoint = stream("stream.endpoint = 'https://e:1/path'").network.endpoint;
    assert_eq!(endpoint.as_deref(), Some("https://e:1/path"));
}

#[test]
fn a_way_that_is_none_is_a_fault() {
    let endpoint = "must be a URL such as \"https://kinesis.example:4567\"";
    check_lines(&[
        (
            "stream.endpoint = 'e:1'",
            "stream.endpoint = 'e:1': must be a URL such as scheme://host:port",
        ),
        (
            "stream.endpoint = 'https://e?x'",
            &format!("stream.endpoint = 'https://e?x': {endpoint}"),
        ),
        ("stream.endpoint = 'ws://e'", &format!("stream.endpoint = 'ws://e': {endpoint}")),
        (
            "stream.ca_file = ''",
            "stream.ca_file = '': must have 1 to 4095 bytes and no control characters",
        ),
        ("stream.ca_file = true", "stream.ca_file = true: must be a text in quotes"),
        ("stream.fips = 1", "stream.fips = 1: must be true or false"),
        ("stream.dual_stack = 'yes'", "stream.dual_stack = 'yes': must be true or false"),
        ("stream.fips = false\nstream.endpoint = 'http://e'", ""),
    ]);
}

#[test]
fn an_endpoint_leaves_nothing_to_choose() {
    let leave = "chooses the endpoint of the region: leave it or endpoint out";
    check(
        "stream.endpoint = 'http://e'\nstream.fips = true\nstream.dual_stack = true",
        &[
            &format!("7: stream.fips = true: {leave}"),
            &format!("8: stream.dual_stack = true: {leave}"),
        ],
    );
}

#[test]
fn a_proxy_that_cannot_be_asked_is_a_fault() {
    let url = "must be a URL such as \"http://proxy.example:3128\", or \"off\"";
    let no_url = "must be a URL such as scheme://host:port";
    check_lines(&[
        (
            "stream.proxy = 'http://p'",
            "stream.proxy = 'http://p': must be a table: { key = value, … }",
        ),
        ("stream.proxy.url = 'p:3128'", &format!("stream.proxy.url = 'p:3128': {no_url}")),
        ("stream.proxy.url = 'none'", &format!("stream.proxy.url = 'none': {no_url}")),
        ("stream.proxy.url = 'socks5://p'", &format!("stream.proxy.url = 'socks5://p': {url}")),
        ("stream.proxy.url = 'http://p/x'", &format!("stream.proxy.url = 'http://p/x': {url}")),
        (
            "stream.proxy.url = 'http://joe:hunter2@p'",
            "stream.proxy.url: must be without user:password@: use username, and password_file or \
             password_env",
        ),
        (
            "stream.proxy.password = 'hunter2'",
            "stream.proxy.password: a secret has no place here: use password_file or password_env",
        ),
        (
            "stream.proxy.username = 'joe'",
            "stream.proxy.username = 'joe': needs the url of a proxy beside it",
        ),
        (
            "stream.proxy.except = ['e']",
            "stream.proxy.except = ['e']: needs the url of a proxy beside it",
        ),
        (
            "stream.proxy.password_env = 'P'",
            "stream.proxy.password_env = 'P': needs username beside it",
        ),
        (
            "stream.proxy = { url = 'off', except = ['e'] }",
            "stream.proxy.except = ['e']: needs the url of a proxy beside it",
        ),
        // One wrong value is one fault.
        (
            "stream.proxy = { url = 'p', except = ['e'] }",
            &format!("stream.proxy.url = 'p': {no_url}"),
        ),
        (
            "stream.proxy = { url = 'http://p', except = 'e' }",
            "stream.proxy.except = 'e': must be a list of texts",
        ),
    ]);
}

#[test]
fn who_is_excepted_is_named_as_the_http_client_understands_it() {
    let except = |host: &str| format!("stream.proxy = {{ url = 'http://p', except = ['{host}'] }}");
    for right in
        ["internal", ".a.example", "a_b.example", "10.0.0.0/8", "fd00::/8", "::1", "1.2.3.4"]
    {
        check(&except(right), &[]);
    }
    for wrong in ["*", "*.a.example", "a:443", "1.2.3.4:443", "10.0.0.0/33", "a/8", "http://a"] {
        check(&except(wrong), &[&format!("6: stream.proxy.except = '{wrong}': {HOST}")]);
    }
    let empty = "6: stream.proxy.except = '': must have 1 to 253 bytes and no control characters";
    check(&except(""), &[empty]);
}

#[test]
fn files_and_variables_of_the_way_must_be_there_at_the_start() {
    let proxy = "stream.proxy.url = 'http://p'\nstream.proxy.username = 'joe'";
    for (case, begin) in [
        (
            "stream.ca_file = '/no/such'".to_owned(),
            "stream.ca_file = \"/no/such\": cannot be read: ",
        ),
        ("stream.ca_file = '/'".to_owned(), "stream.ca_file = \"/\": is no file"),
        (
            format!("{proxy}\nstream.proxy.password_file = '/no/such'"),
            "stream.proxy.password_file = \"/no/such\": cannot be read: ",
        ),
        (
            format!("{proxy}\nstream.proxy.password_env = 'NO_SUCH'"),
            "stream.proxy.password_env = \"NO_SUCH\": is not set in the environment",
        ),
    ] {
        let faults = config(&case).check_files("f").unwrap_err().to_string();
        let is_told = faults.starts_with(&format!("f: {begin}"));
        assert!(is_told && faults.lines().count() == 1, "{faults}");
    }
    assert_eq!(config(proxy).check_files("f"), Ok(()));
}
