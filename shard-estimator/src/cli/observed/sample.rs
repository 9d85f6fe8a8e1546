//! A fair sample of readings.

use fastrand::Rng;

/// Readings that are kept, 16 bytes each. A share of 1 % is then known to a fiftieth of it.
const READINGS_MAX: usize = 1 << 20;

/// Of one reading, what is kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Sampled {
    /// The device's number.
    pub(super) device: u32,
    /// Milliseconds since 1970.
    pub(super) at_ms: i64,
    pub(super) bytes: u32,
}

/// All readings while there is room; then each of those seen is kept with the same probability.
#[derive(Debug)]
pub(super) struct Sample {
    kept: Vec<Sampled>,
    seen: u64,
    chance: Rng,
}

impl Default for Sample {
    /// The same readings give the same sample.
    fn default() -> Self {
        Self { kept: Vec::new(), seen: 0, chance: Rng::with_seed(1) }
    }
}

impl Sample {
    pub(super) fn take(&mut self, reading: Sampled) {
        self.seen += 1;
        if self.kept.len() < READINGS_MAX {
            self.kept.push(reading);
        } else if let Ok(place) = usize::try_from(self.chance.u64(..self.seen))
            && let Some(kept) = self.kept.get_mut(place)
        {
            *kept = reading;
        }
    }

    pub(super) fn into_inner(self) -> Vec<Sampled> {
        self.kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_reading_has_the_same_chance_to_be_kept_and_no_more_are_kept_than_there_is_room() {
        let mut sample = Sample::default();
        let readings = 4 * READINGS_MAX;
        for n in 0..readings {
            let device = u32::try_from(n).expect("few");
            sample.take(Sampled { device, at_ms: 0, bytes: 1 });
        }
        let kept = sample.into_inner();
        assert_eq!(kept.len(), READINGS_MAX);
        let first_half = kept.iter().filter(|kept| (kept.device as usize) < readings / 2).count();
        // Half of them, and four standard deviations.
        assert!(first_half.abs_diff(READINGS_MAX / 2) < 2_048, "{first_half}");
    }

    #[test]
    fn while_there_is_room_everything_is_kept() {
        let mut sample = Sample::default();
        for device in 0..1_000 {
            sample.take(Sampled { device, at_ms: 0, bytes: 1 });
        }
        assert!(sample.into_inner().iter().map(|kept| kept.device).eq(0..1_000));
    }
}
