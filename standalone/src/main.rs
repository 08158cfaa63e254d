//! `omniroute`: both planes in one process, with nothing to install beside it.

mod app;
mod data_dir;
mod database;
mod doctor;
mod operator;
mod pipe;
mod secrets;
mod settings;
mod welcome;

use anyhow::Context;
use clap::{Parser, Subcommand};
use runtime::exit::{self, Ending};
use settings::Flags;
use std::process::ExitCode;

/// A request makes some hundred small allocations, which the C library's allocator is measurably slower at.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

/// As sysexits.h has it: the settings are wrong, and a restart will not make them right.
const BAD_SETTINGS: u8 = 64;

/// An AI gateway: one address for OpenAI and Anthropic clients, any provider behind it.
#[derive(Parser)]
#[command(name = "omniroute", version)]
struct Arguments {
    #[command(flatten)]
    flags: Flags,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Subcommand)]
enum Command {
    /// Check this installation and say what is wrong with it.
    Doctor,
    /// Replace the dashboard's password by a new one and print it. The gateway must be stopped.
    ResetPassword,
    /// Draw a new key for stored credentials and seal them anew. The gateway must be stopped.
    RotateStorageKey,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let settings = match settings::load(&arguments.flags) {
        Ok(settings) => settings,
        Err(error) => return complain(&error, BAD_SETTINGS),
    };
    let outcome = match arguments.command {
        None => app::run(settings).and_then(|ending| match ending {
            Ending::Stop => Ok(true),
            Ending::Restart => Err(exit::restart()).context("cannot start again"),
        }),
        Some(Command::Doctor) => doctor::run(settings),
        Some(Command::ResetPassword) => app::reset_password(settings).map(|()| true),
        Some(Command::RotateStorageKey) => app::rotate_storage_key(settings).map(|()| true),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => complain(&error, 1),
    }
}

/// For people who look at the terminal; the log may not be set up yet.
#[expect(clippy::print_stderr, reason = "the log may not be set up yet")]
fn complain(error: &anyhow::Error, code: u8) -> ExitCode {
    eprintln!("omniroute: {error:#}");
    ExitCode::from(code)
}
