//! Which of several nodes has a key, by rendezvous hashing: where a node comes or goes, only the keys that it gets or had
//! move. Pure.

use sha2::{Digest, Sha256};

/// The places of `nodes`, that of the one that has `key` first; each takes over from those before it. The order is the same on
/// every machine and in every version.
pub(crate) fn ranked<N: AsRef<[u8]>>(nodes: impl IntoIterator<Item = N>, key: &str) -> Vec<usize> {
    let weight = |node: N| Sha256::new().chain_update(node).chain_update([0]).chain_update(key).finalize();
    let mut ranked: Vec<_> = nodes.into_iter().map(weight).enumerate().collect();
    ranked.sort_unstable_by(|(_, one), (_, other)| other.cmp(one));
    ranked.into_iter().map(|(place, _)| place).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// How many of so many keys each of the nodes has.
    fn owned(nodes: &[&str], keys: usize) -> Vec<usize> {
        let mut owned = vec![0; nodes.len()];
        for key in 0..keys {
            owned[ranked(nodes, &format!("tenant-{key}"))[0]] += 1;
        }
        owned
    }

    #[test]
    fn the_keys_are_spread_evenly() {
        for number in [2, 3, 8] {
            let nodes: Vec<_> = (0..number).map(|node| format!("203.0.113.{node}")).collect();
            let nodes: Vec<_> = nodes.iter().map(String::as_str).collect();
            let even = 6_000 / number;
            let owned = owned(&nodes, 6_000);
            assert!(owned.iter().all(|keys| keys.abs_diff(even) < even / 6), "{owned:?}");
        }
    }

    #[test]
    fn only_what_a_new_node_gets_moves_and_it_moves_back_when_that_goes() {
        let (three, four) = (["0", "1", "2"], ["0", "1", "2", "3"]);
        let mut moved = 0;
        for key in 0..4_000 {
            let key = format!("tenant-{key}");
            let (before, after) = (ranked(three, &key), ranked(four, &key));
            if after[0] == 3 {
                moved += 1;
            }
            let without: Vec<_> = after.into_iter().filter(|node| *node != 3).collect();
            assert_eq!(before, without, "the order of the others stays");
        }
        assert!((850..1_150).contains(&moved), "about a quarter: {moved}");
    }

    #[test]
    fn who_has_what_stays_the_same_in_every_version() {
        let of = |key| ranked(["203.0.113.4", "203.0.113.5", "2001:db8::7"], key);
        assert_eq!([of("acme"), of("globex"), of("initech")].map(|order| order[0]), [1, 0, 0]);
    }
}
