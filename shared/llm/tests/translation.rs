//! The proof of the translation: every client's dialect against every upstream's.
//!
//! `grammar` says what a client may be sent, `laws` what holds for whatever a model says, `matrix` which feature
//! goes from which dialect to which, `cases` what went wrong somewhere once. They see only the crate's front door.

mod cases;
mod grammar;
mod hostile;
mod laws;
mod masking;
mod matrix;
mod wire;
