//! Random histories, done to a store in a file and to a map that knows the semantics: after every
//! operation both must have said the same, and in the end hold the same.
//!
//! `PROPTEST_CASES` sets the number of histories.

mod filter;
mod history;
mod run;

use bayplan::Rules;
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};

use crate::btree::fault::Fault;

use history::{Step, steps};

const CASES: u32 = 96;

fn config() -> Config {
    let cases = std::env::var("PROPTEST_CASES").ok();
    Config {
        cases: cases.and_then(|text| text.parse().ok()).unwrap_or(CASES),
        ..Config::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn a_strict_store_does_what_a_map_does(history in steps(), keep: bool) {
        run::compare(Rules::Strict, keep, None, &history)?;
    }

    #[test]
    fn a_containerd2_store_does_what_a_map_does(history in steps(), keep: bool) {
        run::compare(Rules::Containerd2, keep, None, &history)?;
    }
}

/// A comparison that finds nothing wrong with a wrong model proves nothing.
#[test]
fn a_map_that_does_something_else_is_noticed() {
    for fault in [
        Fault::AbsentExtensionIsEmpty,
        Fault::CreateOverwrites,
        Fault::DeleteIfIsDelete,
        Fault::DeleteLeavesExtensions,
        Fault::DeleteLeavesLabels,
        Fault::DeleteNamespaceTakesContainers,
        Fault::DeleteNamespaceTakesRecords,
        Fault::DeleteTakesTheTwin,
        Fault::FailedUpdateIsKept,
        Fault::FullUpdateMerges,
        Fault::ImportSetsTheTimes,
        Fault::ImportTakesAnyTimes,
        Fault::NamespaceGoesWithItsLastContainer,
        Fault::OneKindForAll,
        Fault::PageRepeatsItsBegin,
        Fault::PutDeletesFirst,
        Fault::PutRefusesAsAnUpdateDoes,
        Fault::SetLabelNeedsTheNamespace,
        Fault::UpdateIfIsUpdate,
        Fault::UpdatedAtIsTheClock,
    ] {
        let mut runner = TestRunner::new(Config {
            // It ends at the first that notices: so many are tried only if none does.
            cases: 8_000,
            max_shrink_iters: 0,
            failure_persistence: None,
            ..Config::default()
        });
        let outcome = runner.run(&steps(), |history: Vec<Step>| {
            run::compare(Rules::Strict, false, Some(fault), &history)
        });
        assert!(outcome.is_err(), "{fault:?} went unnoticed");
    }
}
