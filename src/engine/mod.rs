//! Rules: from text to matches. Pure: no files, no clock, no threads, no log line.
//!
//! `lang` turns a condition's text into a tree, `load` turns rules files into resolved rules,
//! `compile` types their conditions, `ruleset` turns all of them into one program that all rules
//! share and evaluates it on one event, `output` is the format of an alert's text.

pub mod comparison;
pub mod compile;
pub mod condition;
pub mod describe;
pub mod diagnostic;
pub mod event_set;
pub mod lang;
pub mod load;
pub mod matchers;
pub mod output;
pub mod program;
pub mod rule;
pub mod ruleset;
pub mod services;
pub mod transform;
pub mod types;
pub mod yaml;
