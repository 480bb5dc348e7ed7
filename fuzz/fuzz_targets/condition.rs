//! Any text as a condition: an error, or a tree that prints, parses again to the same and compiles
//! or doesn't; never a panic.
#![no_main]

use eyas::engine::compile::compile;
use eyas::engine::lang::parser::parse;

libfuzzer_sys::fuzz_target!(|text: &str| {
    let Ok(mut tree) = parse(text) else { return };
    let printed = tree.to_string();
    let mut again = parse(&printed).expect("what is printed parses");
    drop(compile(&tree));
    tree.strip_positions();
    again.strip_positions();
    assert_eq!(tree, again, "{printed}");
});
