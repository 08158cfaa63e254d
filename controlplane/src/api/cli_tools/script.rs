//! A script that merges settings where a tool is. One small program does the work, for every shell.

use super::{CliToolFile, Tool};
use crate::error::ApiError;

const PROGRAM: &str = include_str!("merge.py");

pub struct Script {
    tool: &'static str,
    program: String,
}

// === impl Script ===

impl Script {
    pub fn merging(tool: &Tool, files: &[CliToolFile]) -> Result<Self, ApiError> {
        let files = serde_json::to_string(files).map_err(ApiError::internal)?;
        // JSON has no line breaks; without an apostrophe nothing in it ends a text of Python's or of a shell's
        let files = files.replace('\'', "\\u0027");
        Ok(Self {
            tool: tool.id,
            program: format!("FILES = r'''{files}'''\n{PROGRAM}"),
        })
    }

    pub fn sh(&self) -> String {
        format!(
            "#!/bin/sh\n# Has {} call OmniRoute. Keeps a copy of what was there.\nset -eu\n\
             python3 - <<'OMNIROUTE_END'\n{}OMNIROUTE_END\n",
            self.tool, self.program
        )
    }

    pub fn powershell(&self) -> String {
        format!(
            "# Has {} call OmniRoute. Keeps a copy of what was there.\n$ErrorActionPreference = 'Stop'\n\
             @'\n{}'@ | python -\n",
            self.tool, self.program
        )
    }
}
