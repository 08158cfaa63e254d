//! (colleague writes this)
