//! Answers that are lists, piece by piece: of a large fleet they are long. Pure.

use std::iter::{once, repeat};
use std::sync::Arc;

use bytes::Bytes;

use crate::alert::Firing;
use crate::state::Snapshot;

use super::alert_views::Alert;
use super::queries::Part;
use super::views::{Token, text};

/// The answer `{"NAME":[...]}`: a piece for its beginning, for each item and for its end.
pub(super) fn list<E>(
    name: &str,
    items: impl Iterator<Item = Result<String, E>>,
) -> impl Iterator<Item = Result<Bytes, E>> {
    let items = separated(items).map(|item| item.map(Bytes::from));
    once(Ok(format!("{{\"{name}\":[").into())).chain(items).chain(once(Ok(Bytes::from_static(b"]}\n"))))
}

/// The items of a list, with what separates them.
pub(super) fn separated<E>(items: impl Iterator<Item = Result<String, E>>) -> impl Iterator<Item = Result<String, E>> {
    let separators = once("").chain(repeat(","));
    separators.zip(items).map(|(separator, item)| Ok(format!("{separator}{}", item?)))
}

/// A part of the tokens, in the order of the configuration; the paths of runbooks begin with `base`.
pub(super) fn tokens(snapshot: Arc<Snapshot>, base: String, part: Part) -> impl Iterator<Item = String> {
    let indexes = part.of(0..snapshot.tokens.len());
    indexes.map(move |index| text(&Token::of(&snapshot, &snapshot.tokens[index], &base)))
}

/// A part of the alerts that fire, tenant by tenant and then those of all tenants together.
pub(super) fn alerts(snapshot: Arc<Snapshot>, base: String, part: Part) -> impl Iterator<Item = String> {
    let sizes: Vec<_> = (0..=snapshot.tenants.len()).map(|group| firing(&snapshot, group).len()).collect();
    let places = sizes.into_iter().enumerate().flat_map(|(group, size)| (0..size).map(move |index| (group, index)));
    part.of(places).map(move |(group, index)| text(&Alert::of(&firing(&snapshot, group)[index], &base)))
}

/// What fires for the tenant of that index, and after the last one for all together.
fn firing(snapshot: &Snapshot, group: usize) -> &[Firing] {
    snapshot.tenants.get(group).map_or(&snapshot.fleet_firing, |tenant| &tenant.firing)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(items: &[&str], part: Part) -> String {
        let items = part.of(items.iter()).map(|item| Ok::<_, String>((*item).to_owned()));
        list("names", items).map(|piece| String::from_utf8(piece.unwrap().to_vec()).unwrap()).collect()
    }

    #[test]
    fn a_list_is_whole_json_whatever_part_of_it_is_wanted() {
        let all = ["1", "2", "3"];
        assert_eq!(written(&all, Part::new(None, 0)), "{\"names\":[1,2,3]}\n");
        assert_eq!(written(&all, Part::new(Some(1), 1)), "{\"names\":[2]}\n");
        assert_eq!(written(&all, Part::new(None, 3)), "{\"names\":[]}\n");
        assert_eq!(written(&[], Part::new(Some(0), usize::MAX)), "{\"names\":[]}\n");
    }
}
