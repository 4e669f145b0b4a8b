//! Some tokens together, with the series about them as they were last written. Pure.

use std::hash::{BuildHasher, Hasher};
use std::sync::{Arc, Weak};

use foldhash::quality::RandomState;

use crate::belief::TokenStatus;
use crate::model::{Metric, Token};
use crate::state::{Pieces, TokenSnapshot};

use super::families::{OF_TOKENS, OfTokens, TOKEN_FAMILIES};
use super::piece::Piece;
use super::sink::Number;
use super::writer::Writer;

/// How many tokens are together, and the rest of those of the last tenant. Enough that pieces cost nothing; a change of one of them
/// has the series of all of them written again.
const TOKENS: usize = 60;

/// Some tokens, those of whole tenants.
#[derive(Debug)]
pub(super) struct Chunk {
    tokens: Vec<Written>,
    /// The series of each family; none where the family is left out.
    pieces: [Option<Arc<Piece>>; OF_TOKENS],
}

/// A token as it was last written. What is not referred to any more keeps its address as long as this is there, so that another one
/// is never taken for it.
#[derive(Debug)]
struct Written {
    token: Weak<Token>,
    status: Weak<TokenStatus>,
    /// A number of the series of each family: another one where they are, but for one in 2^64.
    numbers: [u64; OF_TOKENS],
}

/// Whether these chunks are of these tokens, whatever is known of them.
pub(super) fn are_of(chunks: &[Chunk], tokens: &Pieces<TokenSnapshot>) -> bool {
    let mut written = chunks.iter().flat_map(|chunk| &chunk.tokens);
    let is_next = |token: &TokenSnapshot| {
        written.next().is_some_and(|written| Weak::as_ptr(&written.token) == Arc::as_ptr(&token.token))
    };
    tokens.iter().all(is_next) && written.next().is_none()
}

/// Chunks of these tokens, in their order, of which nothing is written yet.
pub(super) fn divided(tokens: &Pieces<TokenSnapshot>) -> Vec<Chunk> {
    let mut chunks: Vec<Chunk> = Vec::new();
    let mut last: Option<&TokenSnapshot> = None;
    for token in tokens.iter() {
        let written = Written { token: Arc::downgrade(&token.token), status: Weak::new(), numbers: [0; OF_TOKENS] };
        let is_of_tenant = last.is_some_and(|last| tenant(last) == tenant(token));
        match chunks.last_mut().filter(|chunk| chunk.len() < TOKENS || is_of_tenant) {
            Some(chunk) => chunk.tokens.push(written),
            None => chunks.push(Chunk { tokens: vec![written], pieces: Default::default() }),
        }
        last = Some(token);
    }
    chunks
}

impl Chunk {
    /// How many tokens there are.
    pub(super) fn len(&self) -> usize {
        self.tokens.len()
    }

    /// The series of a family about them, if it is not left out.
    pub(super) fn piece(&self, family: usize) -> Option<&Arc<Piece>> {
        self.pieces[family].as_ref()
    }

    /// Writes the families for which `is_shown` holds again where they are not as they were.
    pub(super) fn update(
        &mut self,
        tokens: &[&TokenSnapshot],
        is_shown: impl Fn(Metric) -> bool,
        hasher: &RandomState,
        writer: &mut Writer,
    ) {
        let mut has_changed = [false; OF_TOKENS];
        for (written, token) in self.tokens.iter_mut().zip(tokens) {
            if Weak::as_ptr(&written.status) == Arc::as_ptr(&token.status) {
                continue;
            }
            written.status = Arc::downgrade(&token.status);
            for (index, family) in TOKEN_FAMILIES.iter().enumerate() {
                let number = number(&family.write, token, hasher);
                has_changed[index] |= number != written.numbers[index];
                written.numbers[index] = number;
            }
        }
        for (index, family) in TOKEN_FAMILIES.iter().enumerate() {
            let piece = &mut self.pieces[index];
            if !is_shown(family.metric) {
                *piece = None;
            } else if has_changed[index] || piece.is_none() {
                write(family.metric.as_str(), &family.write, tokens, writer);
                *piece = Some(writer.piece());
            }
        }
    }
}

/// A number of the series of one token.
fn number(family: &OfTokens, token: &TokenSnapshot, hasher: &RandomState) -> u64 {
    let mut number = Number(hasher.build_hasher());
    match family {
        OfTokens::Each(write) => write(&mut number, token),
        // What all users of a group have together follows from what each of them has.
        OfTokens::Group(write) => write(&mut number, &[token]),
    }
    number.0.finish()
}

/// Writes the series of tokens.
fn write(name: &str, family: &OfTokens, tokens: &[&TokenSnapshot], writer: &mut Writer) {
    match family {
        OfTokens::Each(write) => {
            for token in tokens {
                writer.text.begin(name, &[("tenant", tenant(token)), ("token_name", &token.token.name)]);
                write(&mut writer.text, token);
            }
        }
        OfTokens::Group(write) => {
            writer.text.begin(name, &[]);
            let mut by_group = tokens.to_vec();
            by_group.sort_by_key(|token| group(token));
            for members in by_group.chunk_by(|one, other| group(one) == group(other)) {
                write(&mut writer.text, members);
            }
        }
    }
}

fn tenant(token: &TokenSnapshot) -> &str {
    &token.token.tenant.name
}

/// The tenant and the name of a token's security group, which identify the group.
fn group(token: &TokenSnapshot) -> (&str, Option<&str>) {
    (tenant(token), token.status.security_group())
}
