//! The answer about every token, piece by piece: of a large fleet it is long. Pure.

use std::sync::Arc;

use bytes::Bytes;

use crate::state::Snapshot;

use super::views::{Token, text};

/// How many tokens are written into one piece of the answer.
const TOKENS_PER_PIECE: usize = 100;

/// The answer `{"tokens": [...]}` for one snapshot, as an iterator over its pieces.
#[derive(Debug)]
pub(super) struct Pieces {
    snapshot: Arc<Snapshot>,
    /// What the paths of runbooks begin with.
    base: String,
    /// The index of the token with which the next piece begins.
    next: usize,
    ended: bool,
}

impl Pieces {
    pub(super) fn new(snapshot: Arc<Snapshot>, base: &str) -> Self {
        Self { snapshot, base: base.to_owned(), next: 0, ended: false }
    }
}

impl Iterator for Pieces {
    type Item = Bytes;

    fn next(&mut self) -> Option<Bytes> {
        if self.ended {
            return None;
        }
        let tokens = &self.snapshot.tokens;
        let end = tokens.len().min(self.next + TOKENS_PER_PIECE);
        let mut piece = if self.next == 0 { "{\"tokens\":[".to_owned() } else { String::new() };
        for (index, entry) in tokens.iter().enumerate().take(end).skip(self.next) {
            if index > 0 {
                piece.push(',');
            }
            piece.push_str(&text(&Token::of(&self.snapshot, entry, &self.base)));
        }
        self.next = end;
        if end == tokens.len() {
            piece.push_str("]}\n");
            self.ended = true;
        }
        Some(piece.into())
    }
}
