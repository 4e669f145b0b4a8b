//! The HTTP server: sockets, TLS, authentication, limits, and the threads on which answers are made. It knows nothing
//! of the tokens and their permissions.

mod accept;
mod access;
mod authenticator;
mod connections;
mod lane;
mod refusal;
mod server;
mod slots;

pub use access::Access;
pub use lane::{Lane, Lanes, NotMade};
pub use server::{Listener, Server};
