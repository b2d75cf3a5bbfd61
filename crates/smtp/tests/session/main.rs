//! The server's session in memory: by transcripts, and by laws that hold for any input.

mod laws;
mod scripted;
mod transcripts;
