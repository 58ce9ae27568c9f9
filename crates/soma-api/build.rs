//! Tells the schema derive which JSON type stands for each value of `soma-types`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    #[cfg(feature = "openapi")]
    write_aliases();
}

#[cfg(feature = "openapi")]
fn write_aliases() {
    const TEXTS: [&str; 14] = [
        "Address",
        "Base64",
        "ChainId",
        "Checksum",
        "Commitment",
        "Digest",
        "ModelId",
        "ObjectId",
        "PoolId",
        "PublicKey",
        "Signature",
        "StakeId",
        "TargetId",
        "WeightsKey",
    ];
    const NUMBERS: [&str; 4] = ["Shannons", "Epoch", "Height", "TimestampMs"];
    let config = utoipa_config::Config::new();
    let config = TEXTS
        .into_iter()
        .fold(config, |config, name| config.alias_for(name, "String"));
    NUMBERS
        .into_iter()
        .fold(config, |config, name| config.alias_for(name, "u64"))
        .write_to_file();
}
