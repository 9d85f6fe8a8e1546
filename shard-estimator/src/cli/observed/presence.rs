//! How many devices were there at a time.

/// When devices came and when they went, in any order.
#[derive(Debug, Default)]
pub(super) struct Presence {
    came: Vec<i64>,
    went: Vec<i64>,
}

impl Presence {
    /// A device that came at one moment and was gone at a later one.
    pub(super) fn add(&mut self, [came, gone]: [i64; 2]) {
        self.came.push(came);
        self.went.push(gone);
    }

    /// The most that were there at any moment.
    pub(super) fn most(&mut self) -> u64 {
        self.came.sort_unstable();
        self.went.sort_unstable();
        let (mut most, mut there, mut going) = (0, 0, self.went.iter().peekable());
        for came in &self.came {
            there += 1;
            while going.next_if(|gone| *gone <= came).is_some() {
                there -= 1;
            }
            most = most.max(there);
        }
        most
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn most(stays: &[[i64; 2]]) -> u64 {
        let mut presence = Presence::default();
        stays.iter().for_each(|stay| presence.add(*stay));
        presence.most()
    }

    #[test]
    fn those_that_are_there_together_are_counted_in_any_order() {
        assert_eq!(most(&[]), 0);
        assert_eq!(most(&[[0, 9], [i64::MIN, i64::MAX], [5, 20], [9, 10]]), 3);
        assert_eq!(most(&[[9, 10], [5, 20], [0, 9]]), 2);
    }

    #[test]
    fn who_comes_when_another_is_gone_takes_its_place() {
        assert_eq!(most(&[[0, 10], [10, 20], [20, 30]]), 1);
        assert_eq!(most(&[[0, 11], [10, 20]]), 2);
    }
}
