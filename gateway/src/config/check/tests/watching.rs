//! `[plan]` and `[metrics]`.

use super::{check, config};

#[test]
fn what_can_be_no_target_time_address_or_number_is_a_fault() {
    for (line, must) in [
        ("plan.target = 1.1", "must be above 0 and at most 1"),
        ("plan.warn_after_s = 9", "must be 10 to 86400 seconds"),
        (
            "metrics.listen = 'localhost'",
            "must be an address and a port such as \"127.0.0.1:9464\"",
        ),
        ("metrics.hottest_keys = 11", "must be 0 to 10 keys"),
    ] {
        check(line, &[&format!("6: {line}: {must}")]);
    }
}

#[test]
fn metrics_are_served_only_where_it_is_said() {
    assert_eq!(config("").metrics.listen, None);
    let listen = config("metrics.listen = '[::1]:9464'").metrics.listen;
    assert_eq!(listen, "[::1]:9464".parse().ok());
}

#[test]
fn a_plan_is_made_for_no_more_than_is_used() {
    let target = |text| config(text).plan.target;
    assert!((target("pace.fraction = 0.9") - 0.8).abs() < 1e-9);
    assert!((target("pace.fraction = 0.5") - 0.5).abs() < 1e-9);
    assert!((target("plan.target = 0.85") - 0.85).abs() < 1e-9);
    check("plan.target = 0.95", &["6: plan.target = 0.95: must be at most pace.fraction (0.9)"]);
}
