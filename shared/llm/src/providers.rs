//! The registry of providers: one file and one line each.
