//! Counts by size.

use std::time::Duration;

/// Delays that records are counted by, in seconds: from a batch that left at once to a day on the
/// disk. Half a second and a second are what is promised.
const DELAY_EDGES_S: [f64; 15] = [
    0.01, 0.025, 0.05, 0.1, 0.2, 0.5, 1.0, 2.0, 5.0, 10.0, 60.0, 600.0, 3_600.0, 21_600.0, 86_400.0,
];

/// How many records took how long.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
pub struct Delays {
    /// Up to each edge and above the one before; the last has no edge.
    counts: [u64; DELAY_EDGES_S.len() + 1],
    sum_s: f64,
}

impl Delays {
    /// Counts one.
    pub fn add(&mut self, delay: Duration) {
        let delay_s = delay.as_secs_f64();
        let place = DELAY_EDGES_S.partition_point(|edge| *edge < delay_s);
        if let Some(count) = self.counts.get_mut(place) {
            *count += 1;
        }
        self.sum_s += delay_s;
    }

    /// All together, in seconds.
    #[must_use]
    pub fn sum_s(&self) -> f64 {
        self.sum_s
    }

    /// Each edge in seconds, the last without end, with how many took longer than the one before.
    #[must_use]
    pub fn buckets(&self) -> Vec<(f64, u64)> {
        let edges = DELAY_EDGES_S.into_iter().chain([f64::INFINITY]);
        edges.zip(self.counts).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_delay_is_counted_by_the_edge_that_it_reaches() {
        let mut delays = Delays::default();
        for ms in [0, 10, 11, 1_000, 90_000_000] {
            delays.add(Duration::from_millis(ms));
        }
        let counted: Vec<_> =
            delays.buckets().into_iter().filter(|(_, count)| *count > 0).collect();
        assert_eq!(counted, [(0.01, 2), (0.025, 1), (1.0, 1), (f64::INFINITY, 1)]);
        assert!((delays.sum_s() - 90_001.021).abs() < 1e-6);
    }
}
