//! Tells the schema derive which JSON type stands for each value of `soma-types`.

fn main() {
    println!("cargo::rerun-if-changed=build.rs");
    utoipa_config::Config::new()
        .alias_for("Checksum", "String")
        .write_to_file();
}
