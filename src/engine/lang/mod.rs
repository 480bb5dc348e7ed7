//! The condition language: text → tree → text.
//!
//! [`parser`] reads a condition in which lists are already substituted, `print` writes the
//! canonical text, [`visit`] walks. What fields and values mean is not known here.

pub mod ast;
mod check;
pub(crate) mod lexer;
pub mod parser;
mod print;
pub mod visit;
