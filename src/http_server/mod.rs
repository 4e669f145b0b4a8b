//! The HTTP server: sockets, TLS, authentication, limits, and the threads on which answers are made. It knows nothing
//! of the tokens and their permissions.

mod accept;
mod access;
mod authenticator;
mod connections;
mod guesses;
mod hosts;
mod lane;
mod random;
mod refusal;
mod server;
mod sessions;
mod slots;

pub(crate) use access::Access;
pub(crate) use lane::{Lane, Lanes, NotMade};
pub(crate) use server::{Listener, Server};
