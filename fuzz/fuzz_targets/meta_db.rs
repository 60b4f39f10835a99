#![no_main]

libfuzzer_sys::fuzz_target!(
    init: bayplan_fuzz::init(),
    |data: &[u8]| bayplan_fuzz::run("meta_db", data)
);
