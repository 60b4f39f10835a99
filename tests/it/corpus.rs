//! The fuzz targets' kept inputs, through the same harness, without a fuzzer.
//!
//! `fuzz/README.md` says how new inputs are found.

use std::fs;
use std::path::{Path, PathBuf};

use crate::quiet::quietly;
use crate::seed::{Seed, count_from_env, tell};
use harness::{Canary, TARGETS};

#[path = "../../fuzz/src/harness/mod.rs"]
pub(crate) mod harness;

/// A kept input is small, so that people can read it.
const INPUT_MAX_BYTES: u64 = 4096;

/// The kept inputs of a target, by name.
fn inputs(target: &str) -> Vec<(PathBuf, Vec<u8>)> {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("fuzz/corpus")
        .join(target);
    let entries = fs::read_dir(&directory).unwrap();
    let mut paths: Vec<_> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.sort();
    paths
        .into_iter()
        .map(|path| (path.clone(), fs::read(path).unwrap()))
        .collect()
}

#[test]
fn every_kept_input_keeps_the_laws() {
    let mut sum = String::new();
    for (target, harness) in TARGETS {
        let inputs = inputs(target);
        assert!(inputs.len() >= 8, "{target} has {} inputs", inputs.len());
        for (path, data) in &inputs {
            assert!(
                path.metadata().unwrap().len() <= INPUT_MAX_BYTES,
                "{path:?}"
            );
            let run = quietly(|| harness(data, Canary::Absent));
            run.unwrap_or_else(|broken| panic!("{}: {broken}", path.display()));
        }
        sum += &format!(" {target}={}", inputs.len());
    }
    tell(format_args!("corpus{sum} broken=0"));
}

/// What a fuzzer without knowledge of the code does; `BAYPLAN_MUTATIONS` sets how often.
#[test]
fn kept_inputs_with_random_changes_keep_the_laws() {
    let count = count_from_env("BAYPLAN_MUTATIONS", 40);
    let mut seed = Seed::from_env();
    let first_seed = seed.get();
    for (target, harness) in TARGETS {
        let inputs = inputs(target);
        for number in 0..count {
            let (path, data) = &inputs[seed.below(inputs.len())];
            let mut data = data.clone();
            for _ in 0..1 + seed.below(3) {
                let at = seed.below(data.len() + 1);
                let to = (at + seed.below(4)).min(data.len());
                let with = seed.below(4);
                data.splice(at..to, seed.bytes(with));
            }
            let run = quietly(|| harness(&data, Canary::Absent));
            run.unwrap_or_else(|broken| {
                let name = path.display();
                panic!("{target}, change {number} of {name}, seed {first_seed}: {broken}\n{data:?}")
            });
        }
    }
    let targets = TARGETS.len();
    tell(format_args!(
        "mutations={} broken=0 seed={first_seed}",
        count * targets
    ));
}

/// The canary: the harness must be able to fail.
#[test]
fn every_harness_finds_the_fault_that_is_planted_in_it() {
    for (target, harness) in TARGETS {
        let inputs = inputs(target);
        let mut found = inputs
            .iter()
            .filter(|(_, data)| quietly(|| harness(data, Canary::Planted)).is_err());
        assert!(found.next().is_some(), "{target} finds nothing");
    }
}

#[test]
fn every_target_is_one_of_cargo_fuzz() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz");
    let manifest = fs::read_to_string(root.join("Cargo.toml")).unwrap();
    assert_eq!(manifest.matches("[[bin]]").count(), TARGETS.len());
    for (target, _) in TARGETS {
        assert!(
            manifest.contains(&format!("name = \"{target}\"")),
            "{target}"
        );
        let main = fs::read_to_string(root.join(format!("fuzz_targets/{target}.rs"))).unwrap();
        assert!(
            main.contains(&format!("run(\"{target}\", data)")),
            "{target}"
        );
    }
}
