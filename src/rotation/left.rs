//! What is left to be done by hand after a switch, in the order in which it is best done. Pure.

use crate::model::Token;

use super::switch::Switched;

/// A sentence for each step, of a token as the configuration has it.
pub(crate) fn left_by_hand(token: &Token, switched: &Switched) -> Vec<String> {
    let integration = token.profile.as_ref().map_or("the integration", |profile| profile.title.as_str());
    let mut steps = Vec::new();
    if let Some(next) = &token.next {
        let Some(path) = next.source.file() else { return steps };
        steps.push(format!("put the value in `{}` into {integration}, unless it is there already", path.display()));
    }
    let place = token.tenant.address_of("").map(|address| format!(" at {address}")).unwrap_or_default();
    if let Some(former) = &switched.former {
        steps.push(format!(
            "delete the former token in Syncro{place}, under Admin > API Tokens (the fingerprint of its value is {former})"
        ));
    }
    if let Some(replaced) = &switched.replaced {
        steps.push(format!(
            "see that the token of the switch before this one is deleted too (fingerprint {replaced}): its value is kept no longer"
        ));
    }
    if let Some(kept_in) = &switched.kept_in {
        steps.push(format!(
            "delete `{}`, which has the former value, once Syncro refuses that: the page of the token says so; without the file it \
             is not checked",
            kept_in.display()
        ));
    }
    if let Some((_, next)) = token.switched_files() {
        steps.push(format!(
            "delete `{}`, which has the value in use too, once it is in the integration",
            next.display()
        ));
    }
    let expires = match token.next.as_ref().map(|next| next.expires) {
        Some(Some(_)) => "set `expires` to what `next_expires` says",
        _ => "set `expires` to what Syncro shows for the new token, or remove it",
    };
    steps.push(format!("in the configuration, {expires}, and remove the lines of the next token"));
    steps
}
