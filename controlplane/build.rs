//! Rebuilds the crate when what it embeds changes: migrations, and the dashboard once it is built.

use std::path::Path;

fn main() {
    watch("migrations");
    // Watching a path that does not exist would rebuild the crate every time.
    if Path::new("dashboard/dist").exists() {
        watch("dashboard/dist");
    }
}

fn watch(path: &str) {
    println!("cargo::rerun-if-changed={path}");
}
