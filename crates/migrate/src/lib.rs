//! Configurations of other mail systems, read for the move: `import` makes one of ours from them, `doctor` looks at one that
//! uses us for ways around the guard; `check` finds in one of ours what a start would refuse. All read, and change nothing.

pub mod check;
pub mod doctor;
pub mod import;
