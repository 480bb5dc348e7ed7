//! Any bytes as rules files: what is wrong with it, or rules that can be described and put into a
//! rule set; never a panic. Seeds: rules.
#![no_main]

use eyas::engine::describe::{Describe, describe};
use eyas::engine::load::{Loader, Settings};
use eyas::engine::ruleset::{Matching, RuleSet};

libfuzzer_sys::fuzz_target!(|text: &[u8]| {
    let mut loader = Loader::new(Settings::default());
    // A NUL, which no file has, parts one file from the next.
    for text in text.splitn(3, |byte| *byte == 0) {
        let result = loader.add("rules.yaml", text);
        drop(result.verbose());
        serde_json::to_writer(std::io::sink(), &result).expect("it is written");
    }
    let Ok(loaded) = loader.finish() else { return };
    let described = describe(&loaded, &Describe::All).expect("all are there");
    drop(described.text());
    serde_json::to_writer(std::io::sink(), &described).expect("it is written");
    drop(described);
    drop(RuleSet::build(loaded.rules, Matching::All));
});
