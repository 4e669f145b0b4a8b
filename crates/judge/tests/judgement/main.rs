//! Cases made by hand, and what the judge says of what a monitor might send.

mod alerts;
mod causes;
mod entries;
mod world;
