//! Configurations of other mail systems, read for the move: `import` makes one of ours from them, `doctor` looks at one that
//! uses us for ways around the guard. Both read, and change nothing.

pub mod doctor;
pub mod import;
