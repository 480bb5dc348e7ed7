//! Any bytes as a rules file: what is wrong with it, or rules that can be described and put into a
//! rule set; never a panic. Seeds: rules.
#![no_main]

use eyas::engine::describe::{self, Describe};
use eyas::engine::load::{Loader, Settings};
use eyas::engine::ruleset::{Matching, RuleSet};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let mut loader = Loader::new(Settings::default());
    let result = loader.add("rules.yaml", text);
    drop(result.verbose());
    drop(result.to_json());
    let Ok(loaded) = loader.finish() else { return };
    drop(describe::text(&loaded, &Describe::All));
    drop(describe::json(&loaded, &Describe::All));
    drop(RuleSet::build(loaded.rules, Matching::All));
});
