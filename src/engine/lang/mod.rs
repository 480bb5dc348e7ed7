//! The condition language: text → tree.

pub mod ast;
