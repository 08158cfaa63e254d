//! The provider over a real connection, read byte by byte: what vendors refuse, how they answer, and that every
//! scripted fault does on the wire what it says.

#![expect(
    clippy::unwrap_used,
    clippy::panic,
    reason = "in a test a failure to set the scene is a failure of the test"
)]

mod anthropic;
mod bedrock;
mod bill;
mod client;
mod gemini;
mod ollama;
mod openai;
mod responses;
mod wire;
