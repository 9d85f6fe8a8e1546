//! `tidegate plan`: how many shards to buy. The command is the estimator's own.

pub use shard_estimator::cli::{Arguments, run};

#[cfg(test)]
mod tests {
    use clap::Parser;
    use shard_estimator::cli::answer;

    use super::Arguments;
    use crate::config::{Config, PaceMode};

    #[derive(Debug, Parser)]
    struct Program {
        #[command(flatten)]
        arguments: Arguments,
    }

    #[test]
    fn the_settings_of_a_plan_are_read_by_the_gateway() {
        let question = "plan --devices 20000 --period 1s --sizes 1KiB:1 --key-bytes 17 \
            --limiter 0.85 --linger 70ms --gateways 4 --format toml";
        let program = Program::parse_from(question.split_whitespace());
        let answer = answer(&program.arguments, jiff::civil::date(2026, 6, 1)).unwrap();
        let rest = "[mqtt]\nurl = 'mqtt://127.0.0.1:1883'\nclient_id = 'edge-1'\n\
            topics = ['sites/+/devices/+/telemetry']\n[stream]\nname = 'telemetry'\n\
            region = 'us-east-1'\n";
        let whole = answer.text.replace("[stream]\n", rest);
        let config = Config::parse(&whole).unwrap();
        assert_eq!(config.stream.shards, Some(29));
        assert_eq!((config.pace.mode, config.pace.instances), (PaceMode::Shards, Some(4)));
        assert!((config.pace.fraction - 0.85).abs() < 1e-9);
        assert_eq!(config.batch.linger.as_millis(), 70);
    }
}
