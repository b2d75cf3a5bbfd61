//! What one check may cost (RFC 7208 §4.6.4).

use super::macros::Malformed;

/// Terms that ask DNS: `include`, `a`, `mx`, `ptr`, `exists` and `redirect`, over all records.
pub(super) const TERMS_MAX: u32 = 10;
/// Terms that asked DNS for what is not there.
pub(super) const VOID_TERMS_MAX: u32 = 2;
/// Hosts of an `mx`, and names of a client.
pub(super) const HOSTS_MAX: usize = 10;

/// Why there is no result.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stop {
    /// DNS did not answer.
    Temporary,
    /// A record cannot be understood, or costs too much.
    Permanent,
}

impl From<Malformed> for Stop {
    fn from(_: Malformed) -> Self {
        Self::Permanent
    }
}

/// What was spent so far.
#[derive(Debug, Default)]
pub(super) struct Spent {
    terms: u32,
    void_terms: u32,
    /// Whether the term that is evaluated now is among the void.
    is_void: bool,
}

impl Spent {
    /// A term begins that asks DNS.
    pub(super) fn term(&mut self) -> Result<(), Stop> {
        self.terms += 1;
        self.is_void = false;
        if self.terms > TERMS_MAX { Err(Stop::Permanent) } else { Ok(()) }
    }

    /// It asked for what is not there. The standard counts terms: a host of an `mx` that has no address of the client's family
    /// is no other fault than two of them.
    pub(super) fn void(&mut self) -> Result<(), Stop> {
        self.void_terms += u32::from(!self.is_void);
        self.is_void = true;
        if self.void_terms > VOID_TERMS_MAX { Err(Stop::Permanent) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ten_terms_and_two_of_them_void() {
        let mut spent = Spent::default();
        for _ in 0..10 {
            assert_eq!(spent.term(), Ok(()));
        }
        assert_eq!(spent.term(), Err(Stop::Permanent));
        let mut spent = Spent::default();
        for _ in 0..2 {
            assert_eq!(spent.term(), Ok(()));
            assert_eq!([spent.void(), spent.void()], [Ok(()); 2], "one term counts once");
        }
        assert_eq!(spent.term(), Ok(()));
        assert_eq!(spent.void(), Err(Stop::Permanent));
    }
}
