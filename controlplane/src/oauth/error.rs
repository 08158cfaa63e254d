//! Why nobody was signed in.

use thiserror::Error;

#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum OAuthError {
    #[error("there is no provider `{0}`")]
    UnknownProvider(String),
    #[error("signing in to {name} is not offered: {instead}")]
    NotOffered {
        name: &'static str,
        instead: &'static str,
    },
    #[error("{name} needs a client of your own: register one there and start with {setting} set")]
    ClientMissing { name: &'static str, setting: String },
    #[error("the state belongs to no sign-in that was started here: start again")]
    State,
    #[error("the sign-in is over: start again")]
    Over,
    /// What the provider said, in the words of RFC 6749 section 5.2.
    #[error("the provider refused: {error}")]
    Refused {
        error: String,
        description: Option<String>,
    },
}
