//! The properties the targets try, shared with the tests of `llm`.

#[path = "../../shared/llm/tests/hostile.rs"]
pub mod hostile;
