//! Compiles the `.proto` files with protox, so that no `protoc` has to be installed.

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let descriptors = protox::compile(["omniroute/v1/control.proto"], ["."])?;
    tonic_prost_build::configure()
        .build_server(true)
        .build_client(true)
        // payloads are sliced and shared, not copied
        .bytes(".omniroute.v1.ConfigUpdate.payload")
        .bytes(".omniroute.v1.ResourceEntry.resource")
        .bytes(".omniroute.v1.StoredAnswer.body")
        .bytes(".omniroute.v1.StoredSnapshot.payload")
        .bytes(".omniroute.v1.UsageBatch.zstd_events")
        .bytes(".omniroute.v1.UsageBatch.sealed_captures")
        .bytes(".omniroute.v1.EncodedUsageEvents.events")
        // resources are kept sorted
        .type_attribute(".omniroute.v1.ResourceKey", "#[derive(PartialOrd, Ord)]")
        .compile_fds(descriptors)?;
    println!("cargo:rerun-if-changed=omniroute");
    Ok(())
}
