//! Rules: from text to matches. Pure: no files, no clock, no threads, no log line.
//!
//! `lang` turns a condition's text into a tree, `load` turns rules files into resolved rules,
//! `compile` turns their trees into one program that all rules share, `evaluate` runs it on one
//! event.

pub mod lang;
