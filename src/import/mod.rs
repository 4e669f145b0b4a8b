//! Tokens from a spreadsheet: a CSV file becomes fragments of the configuration and files with token values, all of them or
//! none. `rows` reads the CSV, `names` says what files are called, `fragments` writes TOML, `plan` puts it together and has it
//! judged as any configuration is, and `write` alone touches the disk.

mod fragments;
mod names;
mod plan;
mod rows;
#[cfg(any(test, fuzzing))]
pub(crate) mod untrusted;
mod write;

pub(crate) use plan::{Plan, Refused, plan};
pub(crate) use write::{Written, write};
