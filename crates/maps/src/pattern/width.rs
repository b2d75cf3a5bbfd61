//! Whether a group that is repeated can match nothing: then it depends on the engine which of its matches is its part.

/// What is known of a pattern while it is read from left to right.
#[derive(Debug, Default)]
pub(super) struct Widths {
    outer: Vec<Branch>,
    now: Branch,
    /// A group is repeated though it may be empty.
    pub(super) unsure: bool,
}

/// What a group does with what it matches.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Group {
    /// It takes it.
    Takes,
    /// It only looks, and takes no room.
    Looks,
}

/// The alternatives that are being read.
#[derive(Debug, Clone, Copy, Default)]
struct Branch {
    /// An alternative before can be empty.
    before: bool,
    /// Something in this one takes room.
    wide: bool,
    /// The last thing in this one does.
    last_wide: bool,
}

impl Branch {
    fn can_be_empty(self) -> bool {
        self.before || !(self.wide || self.last_wide)
    }
}

impl Widths {
    /// Something that takes room, or not.
    pub(super) fn thing(&mut self, wide: bool) {
        self.now.wide |= self.now.last_wide;
        self.now.last_wide = wide;
    }

    pub(super) fn or(&mut self) {
        self.now = Branch { before: self.now.can_be_empty(), ..Branch::default() };
    }

    pub(super) fn open(&mut self) {
        self.outer.push(std::mem::take(&mut self.now));
    }

    /// The end of a group.
    pub(super) fn close(&mut self, group: Group) {
        let wide = group == Group::Takes && !self.now.can_be_empty();
        self.now = self.outer.pop().unwrap_or_default();
        self.thing(wide);
    }

    /// The last thing is repeated, so often at least and at most.
    pub(super) fn repeat(&mut self, low: u32, high: Option<u32>) {
        self.unsure |= high != Some(1) && !self.now.last_wide;
        self.now.last_wide &= low > 0;
    }
}
