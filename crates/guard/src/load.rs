//! How full the server is, in steps: who is served last is who has proved something.

/// A step. Each takes away what those before it do, and more.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Load {
    /// There is room for everybody.
    #[default]
    Calm,
    /// 70 % full: what costs room is for those who are known; of strangers what is suspicious may wait.
    Crowded,
    /// 85 % full: strangers are told to come again.
    Strained,
    /// 95 % full: only logins are taken.
    LoginsOnly,
}

/// From so many per cent on, each step.
const STEPS: [Step; 3] = [
    Step { percent: 95, load: Load::LoginsOnly },
    Step { percent: 85, load: Load::Strained },
    Step { percent: 70, load: Load::Crowded },
];
/// A step is left when it is undercut by so many per cent: what goes up and down around it is one change.
const SLACK_PERCENT: u64 = 5;

struct Step {
    percent: u64,
    load: Load,
}

impl Load {
    /// By how much of the room is taken, in per cent, and what it was before.
    #[must_use]
    pub fn after(self, percent: u64) -> Self {
        let now = at(percent);
        if now >= self { now } else { at(percent.saturating_add(SLACK_PERCENT)).min(self) }
    }

    /// The word in log and status.
    pub fn code(self) -> &'static str {
        match self {
            Self::Calm => "calm",
            Self::Crowded => "crowded",
            Self::Strained => "strained",
            Self::LoginsOnly => "logins-only",
        }
    }

    /// As a number, for who keeps it in one.
    pub fn number(self) -> u8 {
        match self {
            Self::Calm => 0,
            Self::Crowded => 1,
            Self::Strained => 2,
            Self::LoginsOnly => 3,
        }
    }

    /// The step of a number; of others the first.
    pub fn of_number(number: u8) -> Self {
        [Self::Crowded, Self::Strained, Self::LoginsOnly]
            .into_iter()
            .find(|load| load.number() == number)
            .unwrap_or_default()
    }
}

fn at(percent: u64) -> Load {
    STEPS.iter().find(|step| percent >= step.percent).map_or(Load::Calm, |step| step.load)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn steps_go_up_at_once_and_down_with_some_slack() {
        let mut load = Load::Calm;
        let mut course = Vec::new();
        for percent in [0, 69, 70, 66, 65, 64, 84, 85, 95, 91, 90, 89, 80, 79, 100, 0] {
            load = load.after(percent);
            course.push(load.code());
            assert_eq!(Load::of_number(load.number()), load);
        }
        let expected = "calm calm crowded crowded crowded calm crowded strained logins-only logins-only logins-only \
                        strained strained crowded logins-only calm";
        assert_eq!(course.join(" "), expected);
    }
}
