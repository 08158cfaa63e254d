//! The demo provider as a program of its own.

use anyhow::Context;
use clap::{Parser, ValueEnum};
use std::io::Write;
use std::net::SocketAddr;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

/// A provider without an account, for trying OmniRoute and for tests.
#[derive(Debug, Parser)]
#[command(name = "omniroute-demo-provider", version)]
struct Options {
    /// Address to listen on.
    #[arg(long, default_value = "127.0.0.1:18100")]
    listen: SocketAddr,
    /// Whose API to speak.
    #[arg(long, value_enum, default_value_t = Spoken::Openai)]
    dialect: Spoken,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Spoken {
    Openai,
    OpenaiResponses,
    Anthropic,
    Gemini,
    Ollama,
    Bedrock,
    Assemblyai,
    Deepgram,
    Hyperbolic,
    Nanobanana,
    Nvidia,
    Azure,
    Vertex,
}

#[tokio::main]
async fn main() -> anyhow::Result<()> {
    let options = Options::parse();
    let dialect = match options.dialect {
        Spoken::Openai => demo::Dialect::OpenAi,
        Spoken::OpenaiResponses => demo::Dialect::OpenAiResponses,
        Spoken::Anthropic => demo::Dialect::Anthropic,
        Spoken::Gemini => demo::Dialect::Gemini,
        Spoken::Ollama => demo::Dialect::Ollama,
        Spoken::Bedrock => demo::Dialect::Bedrock,
        Spoken::Assemblyai => demo::Dialect::AssemblyAi,
        Spoken::Deepgram => demo::Dialect::Deepgram,
        Spoken::Hyperbolic => demo::Dialect::Hyperbolic,
        Spoken::Nanobanana => demo::Dialect::NanoBanana,
        Spoken::Nvidia => demo::Dialect::Nvidia,
        Spoken::Azure => demo::Dialect::Azure,
        Spoken::Vertex => demo::Dialect::Vertex,
    };
    let listener = TcpListener::bind(options.listen)
        .await
        .with_context(|| format!("cannot listen on {}", options.listen))?;
    let address = listener.local_addr()?;
    if dialect == demo::Dialect::Vertex {
        let account = demo::service_account(&format!("http://{address}/token"));
        writeln!(std::io::stdout(), "the key of its service account:\n{account}")?;
    }
    writeln!(
        std::io::stdout(),
        "demo provider on http://{address}{}, any API key will do",
        dialect.base()
    )?;
    // the first process of a container has no default for this signal
    let mut asked_to_stop = signal(SignalKind::terminate())?;
    tokio::select! {
        served = axum::serve(listener, demo::router(dialect)) => served?,
        _ = asked_to_stop.recv() => {}
    }
    Ok(())
}
