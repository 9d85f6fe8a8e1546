//! How many unacknowledged publishes the broker allows. Pure.
//!
//! An MQTT 5 broker keeps to our receive maximum; a 3.1.1 broker has a window and does not say
//! which. Either way, when the window is exhausted nothing more comes until we acknowledge, and
//! letting records linger would only cost throughput.

/// So many equal peaks in a row are a window, not a coincidence.
const PEAKS_EQUAL: u8 = 3;
/// Below this a window is indistinguishable from a slow publisher, and nothing is gained.
const PEAK_MIN: usize = 10;

/// Tells when the broker falls silent for want of acknowledgements.
#[derive(Debug)]
pub(super) struct Window {
    stated: Option<usize>,
    learned: Option<usize>,
    peak: usize,
    equal: u8,
    rising: bool,
}

impl Window {
    /// `stated` is our receive maximum, where the protocol has one.
    pub(super) fn new(stated: Option<u16>) -> Self {
        let stated = stated.map(usize::from);
        Self { stated, learned: None, peak: 0, equal: 0, rising: false }
    }

    /// Notes a publish that makes `unacknowledged` of them; true when it is the last one that the
    /// window allows.
    pub(super) fn received(&mut self, unacknowledged: usize) -> bool {
        self.rising = true;
        if self.learned.is_some_and(|learned| unacknowledged > learned) {
            self.learned = None;
            self.equal = 0;
        }
        // Equal, not more: once is enough, for what a broker sends above its window as well.
        [self.stated, self.learned].contains(&Some(unacknowledged))
    }

    /// Whether `unacknowledged` publishes are all that the window allows, or more: what some brokers
    /// send above it is not followed by others.
    pub(super) fn is_exhausted(&self, unacknowledged: usize) -> bool {
        [self.stated, self.learned].into_iter().flatten().any(|window| unacknowledged >= window)
    }

    /// Notes that acknowledgements are about to be sent while `unacknowledged` publishes wait.
    pub(super) fn acknowledging(&mut self, unacknowledged: usize) {
        if !self.rising {
            return;
        }
        self.rising = false;
        self.equal = if unacknowledged == self.peak { self.equal.saturating_add(1) } else { 1 };
        self.peak = unacknowledged;
        if self.equal >= PEAKS_EQUAL && unacknowledged >= PEAK_MIN {
            self.learned = Some(unacknowledged);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Publishes up to `peak`, then acknowledges all; how often the window was called exhausted.
    fn cycle(window: &mut Window, peak: usize) -> usize {
        let exhausted = (1..=peak).filter(|count| window.received(*count)).count();
        window.acknowledging(peak);
        exhausted
    }

    #[test]
    fn stated_window_is_exhausted_when_it_is_full() {
        let mut window = Window::new(Some(100));
        assert_eq!((cycle(&mut window, 99), cycle(&mut window, 100)), (0, 1));
    }

    #[test]
    fn broker_that_overruns_its_window_exhausts_it_once() {
        let mut window = Window::new(Some(100));
        assert!(!window.received(99) && !window.is_exhausted(99));
        assert!(window.received(100) && window.is_exhausted(100));
        assert!(!window.received(101) && window.is_exhausted(101));
    }

    #[test]
    fn window_is_learned_from_equal_peaks_and_unlearned_by_a_higher_one() {
        let mut window = Window::new(None);
        let exhausted: Vec<_> =
            [20, 20, 20, 20, 21, 20].map(|peak| cycle(&mut window, peak)).into();
        assert_eq!(exhausted, [0, 0, 0, 1, 1, 0]);
    }

    #[test]
    fn slow_publisher_is_no_window() {
        let mut window = Window::new(None);
        assert_eq!((0..10).map(|_| cycle(&mut window, 1)).sum::<usize>(), 0);
    }
}
