//! The `eyas` program: arguments in, an exit code out. Everything else is in the library.

fn main() {}
