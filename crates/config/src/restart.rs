//! What differs between two configurations and is read at the start only, so that a reload must not pretend to change it.

/// Keys that differ, as they are found.
#[derive(Debug, Default)]
pub(crate) struct Restart {
    keys: Vec<&'static str>,
}

impl Restart {
    /// Notes the key if what it means is not the same.
    pub(crate) fn compare<T: PartialEq + ?Sized>(&mut self, key: &'static str, old: &T, new: &T) {
        if old != new {
            self.keys.push(key);
        }
    }

    /// The keys, in the order in which they were compared.
    pub(crate) fn keys(self) -> Vec<&'static str> {
        self.keys
    }
}
