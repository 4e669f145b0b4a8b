//! The switch of a token to its next value: which files change, in which order, and what is left to be done by hand.

mod left;
mod switch;

pub(crate) use left::left_by_hand;
pub(crate) use switch::{Switched, switch};
