//! Tells the schema derive which JSON type stands for each value of `soma-types`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    const TEXTS: [&str; 3] = ["Address", "ModelId", "TargetId"];
    let config = utoipa_config::Config::new();
    TEXTS
        .into_iter()
        .fold(config, |config, name| config.alias_for(name, "String"))
        .write_to_file();
}
