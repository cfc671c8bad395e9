//! Makes sure that the folder of the built pages is there: a debug build looks into it while it runs,
//! but only if it was there when it was compiled.

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let pages = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../web/dist");
    std::fs::create_dir_all(pages.join("fonts"))?;
    println!("cargo::rerun-if-changed=build.rs");
    Ok(())
}
