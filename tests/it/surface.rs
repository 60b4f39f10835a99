//! The public surface of the library in one file, docs/API.txt, for the reviewers of a change.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::machine::skip;

/// Writes the file in place of comparing it.
const WRITE: &str = "BAYPLAN_WRITE_API";

/// The listing; or why this machine cannot make it.
fn listing() -> Result<String, String> {
    let target = Path::new(env!("CARGO_TARGET_TMPDIR")).join("surface");
    // rustdoc's JSON is unstable: the variable lets a stable rustdoc write it, for this crate alone.
    let done = Command::new(env!("CARGO"))
        .args(["rustdoc", "--lib", "--all-features", "--locked", "--quiet"])
        .arg("--manifest-path")
        .arg(concat!(env!("CARGO_MANIFEST_DIR"), "/Cargo.toml"))
        .arg("--target-dir")
        .arg(&target)
        .args(["--", "-Zunstable-options", "--output-format", "json"])
        .env("RUSTC_BOOTSTRAP", "bayplan")
        .output()
        .map_err(|error| format!("cargo does not run: {error}"))?;
    if !done.status.success() {
        return Err(String::from_utf8_lossy(&done.stderr).into_owned());
    }
    let surface = public_api::Builder::from_rustdoc_json(target.join("doc/bayplan.json"))
        .omit_blanket_impls(true)
        .omit_auto_trait_impls(true)
        .omit_auto_derived_impls(true)
        .build()
        .map_err(|error| error.to_string())?;
    Ok(surface.to_string())
}

#[test]
fn the_listing_of_the_public_surface_is_up_to_date() {
    let listing = match listing() {
        Ok(listing) => listing,
        Err(why) => return skip("surface", why),
    };
    assert!(listing.contains("pub fn bayplan::Db::create"), "{listing}");
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/API.txt");
    if std::env::var_os(WRITE).is_some() {
        fs::write(&path, &listing).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let only_in = |one: &str, other: &str| -> String {
        let lines = one
            .lines()
            .filter(|line| !other.lines().any(|it| it == *line));
        lines.map(|line| format!("  {line}\n")).collect()
    };
    assert!(
        kept == listing,
        "docs/API.txt is out of date: {WRITE}=1 cargo test --test it surface:: writes it\nnew:\n{}gone:\n{}",
        only_in(&listing, &kept),
        only_in(&kept, &listing)
    );
}
