//! The settings of both planes, read by the planes' own rules, and what one process decides for them.

use clap::Args;
use controlplane::config::Config as ControlPlaneConfig;
use dataplane::config::{Config as DataPlaneConfig, FLAT};
use figment::providers::Serialized;
use figment::value::{Dict, Value};
use runtime::config::Sources;
use std::net::SocketAddr;
use std::path::PathBuf;

#[derive(Debug, Args)]
pub struct Flags {
    /// Directory for secrets, database and spool. Created when missing.
    #[arg(long, env = "DATA_DIR", default_value = "data", global = true)]
    pub data_dir: PathBuf,
    /// Address to serve everything on; `PORT` replaces its port.
    #[arg(long, global = true)]
    pub listen: Option<SocketAddr>,
    /// TOML file; its tables `[controlplane]` and `[dataplane]` are read.
    #[arg(long, env = "OMNIROUTE_CONFIG", global = true)]
    pub config: Option<PathBuf>,
}

/// Both planes' settings, and what they share.
pub struct Settings {
    pub data_dir: PathBuf,
    pub listen: SocketAddr,
    pub control_plane: ControlPlaneConfig,
    pub data_plane: DataPlaneConfig,
}

pub fn load(flags: &Flags) -> anyhow::Result<Settings> {
    let mut control_plane =
        ControlPlaneConfig::load(flags.config.clone(), Serialized::defaults(Dict::new()))?;
    let data_dir = Dict::from([(
        "data_dir".to_owned(),
        Value::from(flags.data_dir.display().to_string()),
    )]);
    let mut data_plane: DataPlaneConfig = runtime::config::load(Sources {
        file: flags.config.clone(),
        prefix: "OMNIROUTE_DATAPLANE__",
        section: "dataplane",
        flat: FLAT,
        flags: Serialized::defaults(data_dir),
    })?;
    if let Some(listen) = flags.listen {
        control_plane.listen = listen;
    }
    // one port: a client's address is the operator's address
    data_plane.listen = control_plane.listen;
    data_plane.port = None;
    Ok(Settings {
        data_dir: flags.data_dir.clone(),
        listen: control_plane.listen,
        control_plane,
        data_plane,
    })
}
